import {
  type BodyCapability,
  BodyConsumedError,
  type Pairs,
  type Reply,
  type Source,
  type Tap,
} from '@weir/core';
import { canonicalAddress } from '../internal/address.ts';
import { type Client, resolveClient } from '../internal/client.ts';
import { discard, HostExchange, hasBody, isSource, slot } from '../internal/exchange.ts';
import { headersOf } from '../internal/pairs.ts';
import type { Settings } from '../internal/settings.ts';
import { Taps } from '../internal/taps.ts';
import { sourceOf, streamOf, watched } from './streams.ts';

/** What a host knows of a request beside the `Request`. */
export interface Host {
  /** The peer's address, where there is one. */
  peer(request: Request): string | undefined;
  waitUntil?(work: Promise<unknown>): void;
}

interface Decorated {
  [slot]?: FetchExchange;
}

/** An exchange over a web-standard `Request` and `Response`. */
export class FetchExchange<Raw = unknown> extends HostExchange<Raw> implements BodyCapability {
  readonly request: Request;
  readonly #host: Host;
  readonly #policyHeaders: string[] = [];
  readonly #appended: string[] = [];
  #rewritten: Headers | undefined = undefined;
  #taps: Taps | undefined = undefined;
  #taken = false;
  #listening = false;

  constructor(request: Request, raw: Raw, settings: Settings, host: Host) {
    super(raw, settings);
    this.request = request;
    this.#host = host;
    (request as Decorated)[slot] = this;
  }

  get method(): string {
    return this.request.method;
  }

  get url(): string {
    const { url } = this.request;
    const start = url.indexOf('/', url.indexOf('://') + 3);
    return start === -1 ? '/' : url.slice(start);
  }

  get body(): BodyCapability {
    return this;
  }

  get signal(): AbortSignal {
    return this.request.signal;
  }

  header(lowerName: string): string | undefined {
    return (this.#rewritten ?? this.request.headers).get(lowerName) ?? undefined;
  }

  setHeader(name: string, value: string): void {
    this.#policyHeaders.push(name, value);
  }

  appendHeader(name: string, value: string): void {
    this.#appended.push(name, value);
  }

  override waitUntil(work: Promise<unknown>): void {
    super.waitUntil(work);
    this.#host.waitUntil?.(work.catch(() => {}));
  }

  /** Listens for the client going away. Some hosts fire it after a success too; by then the exchange is over. */
  watch(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.request.signal.addEventListener('abort', () => this.end('aborted'), { once: true });
  }

  /** Ends the exchange: taps first, then the leaves. */
  end(how: 'complete' | 'aborted' | 'error', error?: unknown): void {
    this.#taps?.end(how === 'complete');
    if (error !== undefined) this.error ??= error;
    this.finish(how === 'aborted' && this.error !== undefined ? 'error' : how);
  }

  /** The handler threw: the host makes a 500 of it. */
  failed(error: unknown): void {
    this.error = error;
    this.headSent(500);
    this.end('error');
  }

  /** What the handler is to see. */
  get handled(): Request {
    if (this.#rewritten === undefined) return this.request;
    const request = new Request(this.request, { headers: this.#rewritten });
    (request as Decorated)[slot] = this as FetchExchange;
    return request;
  }

  requestHeaders(): Pairs {
    return [...(this.#rewritten ?? this.request.headers)].flat();
  }

  setRequestHeader(lowerName: string, value: string | undefined): void {
    if (this.entering === undefined)
      throw new Error('setRequestHeader() may be called only while `enter` runs or pends');
    this.#rewritten ??= new Headers(this.request.headers);
    if (value === undefined) this.#rewritten.delete(lowerName);
    else this.#rewritten.set(lowerName, value);
  }

  requestBody(): Source | undefined {
    const { body, bodyUsed } = this.request;
    if (body === null) return undefined;
    if (this.#taken || bodyUsed || body.locked) throw new BodyConsumedError();
    this.#taken = true;
    return sourceOf(body);
  }

  tap(tap: Tap): void {
    this.#taps ??= new Taps(this);
    this.#taps.add(tap, {});
    this.watch();
  }

  /** A policy's reply as the host's kind of response. */
  responseOf(reply: Reply): Response {
    const { status, headers = [], body } = reply;
    const init = { status, headers: headersOf(headers) };
    if (!hasBody(this.method, status)) {
      discard(reply, new Error('a response to this request has no body'));
      return new Response(null, init);
    }
    if (isSource(body))
      return new Response(
        streamOf(body, (error) => (this.cut = error)),
        init,
      );
    return new Response((body as BodyInit | undefined) ?? null, init);
  }

  /** The response as it goes out: shown to taps, with the headers of policies, its body followed if anybody asked. */
  respond(made: Response): Response {
    if (this.over) return made;
    // An upgrade: nothing of it may be touched, and its end is not ours to see.
    if (made.status < 200) {
      this.headSent(made.status);
      this.end('complete');
      return made;
    }
    const response = this.#withHeaders(this.#tapped(made));
    this.headSent(response.status);
    const taps = this.#taps;
    if (!this.endWatched && taps?.live !== true) return response;
    if (response.body === null) {
      this.end('complete');
      return response;
    }
    const body = watched(response.body, {
      chunk: (chunk) => taps?.chunk(chunk),
      end: (how, error) => this.end(how, error),
    });
    return new Response(body, response);
  }

  protected resolveClient(): Client {
    const peer = this.#host.peer(this.request);
    return resolveClient(canonicalAddress(peer ?? '') ?? '', (name) => this.header(name), this.settings);
  }

  protected get ownHost(): string {
    const { url } = this.request;
    const start = url.indexOf('://') + 3;
    const end = url.indexOf('/', start);
    return this.header('host') ?? url.slice(start, end === -1 ? undefined : end);
  }

  protected get encrypted(): boolean {
    return this.request.url.startsWith('https:');
  }

  #tapped(response: Response): Response {
    const replacement = this.#taps?.head(response.status, [...response.headers].flat(), []);
    if (replacement === undefined) return response;
    response.body?.cancel(new Error('replaced by a policy')).catch(() => {});
    return this.responseOf(replacement.reply);
  }

  #withHeaders(response: Response): Response {
    if (this.#policyHeaders.length === 0 && this.#appended.length === 0) return response;
    try {
      this.#addHeaders(response.headers);
      return response;
    } catch {
      // The headers of redirects and of fetched responses cannot be changed; a copy's can.
      const copy = new Response(response.body, response);
      this.#addHeaders(copy.headers);
      return copy;
    }
  }

  #addHeaders(headers: Headers): void {
    // Backwards, because of two policies that set the same header the inner one wins.
    const set = this.#policyHeaders;
    for (let i = set.length - 2; i >= 0; i -= 2) {
      if (!headers.has(set[i] as string)) headers.set(set[i] as string, set[i + 1] as string);
    }
    const appended = this.#appended;
    for (let i = 0; i < appended.length; i += 2)
      headers.append(appended[i] as string, appended[i + 1] as string);
  }
}

/** The exchange of a request, if a policy runs or ran on it. */
export function exchangeOnRequest(request: object): FetchExchange | undefined {
  return (request as Decorated)[slot];
}
