import type { ServerResponse } from 'node:http';
import {
  type BodyCapability,
  BodyConsumedError,
  type Pairs,
  type Reply,
  type Source,
  type Tap,
} from '@weir/core';
import { discard, slot } from '../internal/exchange.ts';
import { type LiveTap, Taps } from '../internal/taps.ts';
import { BytesSource } from './bytes-source.ts';
import type { NodeExchange, NodeRequest, NodeResponse } from './exchange.ts';
import { setPairs } from './hook.ts';
import { sendReply, stream, type Writer } from './reply.ts';
import { RequestSource } from './request-source.ts';

type Write = (chunk: unknown, ...rest: unknown[]) => boolean;
type End = (...args: unknown[]) => NodeResponse;

/** Bodies over node:http: the request's headers and stream, and taps on `write` and `end` of the response. */
export class NodeBody implements BodyCapability {
  readonly #x: NodeExchange;
  readonly #taps: Taps;
  /** The source of a reply that is being streamed. */
  source: Source | undefined = undefined;
  #deferred: { readonly source: Source; readonly length: string | undefined } | undefined = undefined;
  #taken = false;
  /** What a policy has put in place of the request's body. */
  #instead: Source | undefined = undefined;
  #headed = false;
  #replaced = false;
  /** A native method is running: what it calls on the response (`writeHead`, on HTTP/2 `write`) passes. */
  passing = false;
  #write: Write | undefined = undefined;
  #end: End | undefined = undefined;

  constructor(x: NodeExchange) {
    this.#x = x;
    this.#taps = new Taps(x);
  }

  requestHeaders(): Pairs {
    const raw = this.#x.req.rawHeaders;
    const pairs: string[] = [];
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      if (!name.startsWith(':')) pairs.push(name.toLowerCase(), raw[i + 1] as string);
    }
    return pairs;
  }

  setRequestHeader(lowerName: string, value: string | undefined): void {
    this.#taps.requireEntering('setRequestHeader');
    const { headers, rawHeaders } = this.#x.req;
    for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
      if (rawHeaders[i]?.toLowerCase() === lowerName) rawHeaders.splice(i, 2);
    }
    if (value === undefined) delete headers[lowerName];
    else {
      headers[lowerName] = value;
      rawHeaders.push(lowerName, value);
    }
    this.#x.onRequestHeader?.(this.#x.raw, lowerName, value);
  }

  setRequestBody(body: Uint8Array): void {
    this.#taps.requireEntering('setRequestBody');
    this.#instead = new BytesSource(body);
  }

  requestBody(): Source | undefined {
    const { req } = this.#x;
    const instead = this.#instead;
    if (instead !== undefined) {
      this.#instead = undefined;
      return instead;
    }
    if (!hasRequestBody(req)) return undefined;
    if (this.#taken || req.readableDidRead || req.readableEnded) throw new BodyConsumedError();
    this.#taken = true;
    return new RequestSource(req);
  }

  tap(tap: Tap): void {
    this.#taps.add(tap, this.#x.headersBefore());
    this.#intercept();
  }

  /**
   * Lets the framework answer with a head of its own making and an empty body, and streams the source behind it.
   *
   * @param length the body's length if the reply tells it
   */
  defer(source: Source, length: string | undefined): void {
    this.#deferred = { source, length };
    this.#intercept();
  }

  /** Takes over `write` and `end` of the response, once. */
  #intercept(): void {
    const { res } = this.#x;
    if (this.#write !== undefined) return;
    this.#x.intercepted = true;
    this.#x.watch();
    const methods = res as unknown as { write: Write; end: End };
    this.#write = methods.write;
    this.#end = methods.end;
    // The same functions for every response: with a closure of its own each would outlive its request by far.
    methods.write = write;
    methods.end = end;
  }

  /** Shows the head to the taps, once. True if one of them replaced the response, which is then on its way. */
  headed(): boolean {
    if (this.#headed) return this.#replaced;
    this.#headed = true;
    const { res, policyHeaders = [], replied } = this.#x;
    const deferred = this.#deferred;
    if (deferred !== undefined) {
      if (deferred.length === undefined) res.removeHeader('content-length');
      else res.setHeader('content-length', deferred.length);
    }
    const replacement =
      replied === undefined
        ? this.#taps.head(res.statusCode, pairsOf(res), policyHeaders)
        : this.#taps.head(res.statusCode, replied, undefined);
    this.#replaced = replacement !== undefined || deferred !== undefined;
    if (replacement !== undefined) {
      deferred?.source.cancel(new Error('replaced by a policy'));
      this.#replace(replacement.reply, replacement.tap);
    } else if (deferred !== undefined) stream(this.#x, deferred.source, this.#writer);
    return this.#replaced;
  }

  /** The response is closed. */
  close(): void {
    this.#taps.end(false);
    const source = this.source ?? (this.#headed ? undefined : this.#deferred?.source);
    this.source = undefined;
    source?.cancel(new Error('the client has gone'));
  }

  /** Writes past the methods that swallow what the framework still writes. */
  readonly #writer: Writer = {
    write: (chunk) => {
      this.#taps.chunk(chunk);
      return this.#nativeWrite(chunk, []);
    },
    end: (chunk, encoding = 'utf8') => {
      if (chunk !== undefined) this.#tapChunk(chunk, encoding);
      this.#nativeEnd(chunk === undefined ? [] : [chunk, encoding]);
      this.#taps.end(true);
    },
  };

  /** What `write` of the response has become. */
  tapWrite(chunk: unknown, rest: unknown[]): boolean {
    const { res } = this.#x;
    if (this.passing) return (this.#write as Write).call(res, chunk, ...rest);
    if (!this.#headed) (res as ServerResponse).writeHead(res.statusCode);
    if (this.#replaced) {
      callbackIn(rest)?.();
      return true;
    }
    this.#tapChunk(chunk, rest[0]);
    return this.#nativeWrite(chunk, rest);
  }

  /** What `end` of the response has become. */
  tapEnd(args: unknown[]): NodeResponse {
    const { res } = this.#x;
    if (this.passing) return (this.#end as End).apply(res, args);
    if (this.headed()) {
      callbackIn(args)?.();
      return res;
    }
    if (typeof args[0] !== 'function') this.#tapChunk(args[0], args[1]);
    // Not before: Node computes content-length from a body given to `end`.
    this.#nativeEnd(args);
    this.#taps.end(true);
    return res;
  }

  #tapChunk(chunk: unknown, encoding: unknown): void {
    if (chunk === undefined || chunk === null || this.#x.method === 'HEAD') return;
    this.#taps.chunk(
      typeof chunk === 'string' ? Buffer.from(chunk, encoding as BufferEncoding) : (chunk as Uint8Array),
    );
  }

  #nativeWrite(chunk: unknown, rest: unknown[]): boolean {
    this.passing = true;
    try {
      return (this.#write as Write).call(this.#x.res, chunk, ...rest);
    } finally {
      this.passing = false;
    }
  }

  #nativeEnd(args: unknown[]): NodeResponse {
    this.passing = true;
    try {
      return (this.#end as End).apply(this.#x.res, args);
    } finally {
      this.passing = false;
    }
  }

  /** Sends another response than the handler's, past the methods that now swallow what the handler writes. */
  #replace(reply: Reply, tap: LiveTap): void {
    const { res, policyHeaders = [] } = this.#x;
    if (res.headersSent) {
      discard(reply, new Error('the head was sent already'));
      return;
    }
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    for (const [name, value] of Object.entries(tap.before))
      if (value !== undefined) res.setHeader(name, value);
    setPairs(res, policyHeaders);
    sendReply(this.#x, reply, this.#writer);
  }
}

function write(this: NodeResponse, chunk: unknown, ...rest: unknown[]): boolean {
  return bodyOf(this).tapWrite(chunk, rest);
}

function end(this: NodeResponse, ...args: unknown[]): NodeResponse {
  return bodyOf(this).tapEnd(args);
}

function bodyOf(res: NodeResponse): NodeBody {
  return ((res as unknown as { [slot]: NodeExchange })[slot] as NodeExchange).nodeBody;
}

function hasRequestBody(req: NodeRequest): boolean {
  if (req.httpVersionMajor === 2) {
    return !(req as NodeRequest & { stream: { endAfterHeaders: boolean } }).stream.endAfterHeaders;
  }
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** The headers of a response as they stand. */
function pairsOf(res: NodeResponse): string[] {
  const pairs: string[] = [];
  const headers = res.getHeaders();
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) for (const each of value) pairs.push(name, each);
    else if (value !== undefined) pairs.push(name, String(value));
  }
  return pairs;
}

function callbackIn(args: unknown[]): (() => void) | undefined {
  return args.find((arg) => typeof arg === 'function') as (() => void) | undefined;
}
