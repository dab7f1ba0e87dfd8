import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock, Exchange, Key, Pairs } from '@weir/core';

/** Where hosts of @weir/http keep the exchange of a request; policies that ran before the upgrade are found there. */
const slot = Symbol.for('weir.exchange/1');

/**
 * The exchange of an upgrade. What policies found out about the client, through trusted proxies, is taken from the
 * exchange that they ran on; without one the client is the socket's peer. Response headers end up in the 101.
 */
export class UpgradeExchange implements Exchange<IncomingMessage> {
  readonly raw: IncomingMessage;
  /** As hosts name it. */
  readonly req: IncomingMessage;
  readonly startedAt: number;
  readonly body: undefined = undefined;
  readonly #outer: Exchange | undefined;
  readonly #controller = new AbortController();
  readonly #values = new Map<symbol, unknown>();
  /** Response headers, as pairs. */
  readonly added: string[] = [];

  constructor(req: IncomingMessage, socket: Duplex, clock: Clock) {
    this.raw = req;
    this.req = req;
    this.#outer = (req as { [slot]?: Exchange })[slot];
    this.startedAt = clock.now();
    socket.on('close', () => this.#controller.abort(new Error('the client has gone')));
  }

  get method(): string {
    return this.raw.method ?? '';
  }

  get url(): string {
    return this.raw.url ?? '';
  }

  get path(): string {
    return this.#outer?.path ?? (this.url.split('?', 1)[0] as string);
  }

  get host(): string {
    return this.#outer?.host ?? this.header('host') ?? '';
  }

  get protocol(): 'http' | 'https' {
    return this.#outer?.protocol ?? ('encrypted' in this.raw.socket ? 'https' : 'http');
  }

  get ip(): string {
    if (this.#outer !== undefined) return this.#outer.ip;
    const address = this.raw.socket.remoteAddress ?? 'unknown';
    return address.startsWith('::ffff:') ? address.slice(7) : address;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  header(lowerName: string): string | undefined {
    const value = this.raw.headers[lowerName];
    return typeof value === 'string' || value === undefined ? value : value.join(', ');
  }

  setHeader(name: string, value: string): void {
    this.added.push(name.toLowerCase(), value);
  }

  appendHeader(name: string, value: string): void {
    this.added.push(name.toLowerCase(), value);
  }

  get<T>(key: Key<T>): T | undefined {
    return (this.#values.get(key) as T | undefined) ?? this.#outer?.get(key);
  }

  set<T>(key: Key<T>, value: T): void {
    this.#values.set(key, value);
  }

  waitUntil(work: Promise<unknown>): void {
    work.then(undefined, () => {});
  }

  /** The request's fields as received, names in lower case. */
  receivedFields(): Pairs {
    return this.raw.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
  }
}
