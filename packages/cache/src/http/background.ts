import type { BodyCapability, Exchange, Key, Leave, Pairs, Policy, Reply, Source } from '@weir/core';
import type { Fill } from './fill.ts';

/** A request that nobody waits for: the one that found a stale response, asked again with that one's validators. */
export class BackgroundExchange implements Exchange<undefined> {
  readonly method = 'GET';
  readonly url: string;
  readonly path: string;
  readonly host: string;
  readonly protocol: 'http' | 'https';
  readonly ip: string;
  readonly startedAt: number;
  readonly signal: AbortSignal;
  readonly raw = undefined;
  readonly body: BodyCapability;
  readonly #headers: string[];
  readonly #values = new Map<symbol, unknown>();
  readonly #x: Exchange;

  constructor(x: Exchange, headers: Pairs, signal: AbortSignal) {
    this.url = x.url;
    this.path = x.path;
    this.host = x.host;
    this.protocol = x.protocol;
    this.ip = x.ip;
    this.startedAt = x.startedAt;
    this.signal = signal;
    this.#x = x;
    this.#headers = [...headers];
    this.body = {
      requestHeaders: () => this.#headers,
      setRequestHeader: (name, value) => this.#set(name, value),
      requestBody: () => undefined,
      tap: () => {},
    };
  }

  header(lowerName: string): string | undefined {
    let joined: string | undefined;
    for (let i = 0; i < this.#headers.length; i += 2) {
      if (this.#headers[i] !== lowerName) continue;
      joined = joined === undefined ? this.#headers[i + 1] : `${joined}, ${this.#headers[i + 1]}`;
    }
    return joined;
  }

  setHeader(): void {}

  appendHeader(): void {}

  get<T>(key: Key<T>): T | undefined {
    return this.#values.get(key) as T | undefined;
  }

  set<T>(key: Key<T>, value: T): void {
    this.#values.set(key, value);
  }

  waitUntil(work: Promise<unknown>): void {
    this.#x.waitUntil(work);
  }

  #set(name: string, value: string | undefined): void {
    for (let i = this.#headers.length - 2; i >= 0; i -= 2)
      if (this.#headers[i] === name) this.#headers.splice(i, 2);
    if (value !== undefined) this.#headers.push(name, value);
  }
}

/**
 * Lets a policy answer in the background and fills the cache with what it says.
 *
 * @returns false if there was no answer, or not all of it
 */
export async function fetchInBackground(origin: Policy, x: BackgroundExchange, fill: Fill): Promise<boolean> {
  const ended = (complete: boolean): boolean => {
    fill.end(complete);
    fill.left(false);
    return complete;
  };
  let answer: Reply | Leave | undefined;
  try {
    answer = await untilAborted(origin.enter(x), x.signal);
  } catch {
    return ended(false);
  }
  if (typeof answer !== 'object') return ended(false);
  const { status, headers = [], body } = answer;
  const source = sourceOf(answer);
  // Stale for a while longer, confirmed, or not to be stored: either way there is no body to read.
  if (fill.head({ status, headers }) !== undefined) {
    source?.cancel(new Error('not needed'));
    return ended(true);
  }
  if (source !== undefined) return ended(await read(source, fill, x.signal));
  if (body !== undefined)
    fill.chunk(typeof body === 'string' ? new TextEncoder().encode(body) : (body as Uint8Array));
  return ended(true);
}

/** Waits for an answer no longer than the signal allows; one that comes too late is given back. */
function untilAborted(
  answer: ReturnType<Policy['enter']>,
  signal: AbortSignal,
): Promise<Reply | Leave | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    Promise.resolve(answer as Reply | Leave | undefined)
      .then((reply) => {
        if (signal.aborted && typeof reply === 'object') sourceOf(reply)?.cancel(signal.reason);
        resolve(reply);
      }, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

function sourceOf({ body }: Reply): Source | undefined {
  return typeof body === 'object' && !(body instanceof Uint8Array) ? body : undefined;
}

function read(source: Source, fill: Fill, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    let over = false;
    const done = (complete: boolean): void => {
      over = true;
      signal.removeEventListener('abort', stop);
      resolve(complete);
    };
    const stop = (): void => {
      done(false);
      source.cancel(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    source.start({
      write(chunk) {
        if (over || fill.chunk(chunk) !== false) return true;
        done(false);
        source.cancel(new Error('too large to be stored'));
        return true;
      },
      end: () => done(true),
      abort: () => done(false),
    });
  });
}
