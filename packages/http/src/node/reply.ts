import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Pairs, Reply, Sink, Source } from '@weir/core';
import { discard, hasBody, isSource } from '../internal/exchange.ts';
import { valueIn } from '../internal/pairs.ts';
import type { NodeExchange } from './exchange.ts';
import { setPairs } from './hook.ts';

/** Where the body of a reply goes. */
export interface Writer {
  write(chunk: Uint8Array): boolean;
  end(chunk?: string | Uint8Array, encoding?: BufferEncoding): void;
}

/** Answers natively: sets the head on the response and writes the body, a source chunk by chunk. */
export function sendReply(x: NodeExchange, reply: Reply, writer?: Writer): void {
  const { res } = x;
  const { status, headers, body } = reply;
  if (x.over || res.headersSent || res.destroyed) {
    discard(reply, new Error('the client has gone'));
    return;
  }
  if (writer === undefined && !isSource(body) && !x.intercepted && x.req.httpVersionMajor < 2) {
    sendWhole(res as ServerResponse, x.method, status, headers ?? [], body);
    return;
  }
  res.statusCode = status;
  if (headers !== undefined) setPairs(res, headers);
  if (writer === undefined && x.method !== 'HEAD') x.replied = headers ?? [];
  const out = writer ?? (res as unknown as Writer);
  if (!hasBody(x.method, status)) {
    discard(reply, new Error('a response to this request has no body'));
    if (x.method === 'HEAD' && body !== undefined && !isSource(body)) {
      res.setHeader('content-length', Buffer.byteLength(body));
    }
    out.end();
  } else if (body === undefined) out.end();
  else if (isSource(body)) stream(x, body, out);
  else out.end(body);
}

/** Writes head and body at once: one list of headers spares Node the keeping and merging of each. */
function sendWhole(
  res: ServerResponse,
  method: string,
  status: number,
  headers: Pairs,
  body: string | Uint8Array | undefined,
): void {
  const sendable = hasBody(method, status);
  const measured = sendable || (method === 'HEAD' && body !== undefined);
  // With a head of its own, Node would not measure what `end` is given, but send it in chunks.
  const lines =
    measured && valueIn(headers, 'content-length') === undefined
      ? [...headers, 'content-length', String(body === undefined ? 0 : Buffer.byteLength(body))]
      : (headers as string[]);
  res.writeHead(status, lines);
  if (!sendable || body === undefined) res.end();
  else if (typeof body === 'string' || body.length > joinedBytes) res.end(body);
  else res.end(latin1(body), 'latin1');
}

/** Up to here bytes go out sooner as a string, each byte a character: Node joins it to the head, and writes once. */
const joinedBytes = 8192;

function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}

/** Streams a source behind the head. */
export function stream(x: NodeExchange, source: Source, out: Writer): void {
  x.watch();
  x.nodeBody.source = source;
  source.start(new ResponseSink(x, source, out));
}

/** Writes a source to a response, with the socket's backpressure, never more or less than content-length says. */
class ResponseSink implements Sink {
  readonly #x: NodeExchange;
  readonly #source: Source;
  readonly #out: Writer;
  #left: number;
  #done = false;
  #draining = false;

  constructor(x: NodeExchange, source: Source, out: Writer) {
    this.#x = x;
    this.#source = source;
    this.#out = out;
    const length = x.res.getHeader('content-length');
    this.#left = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#done) return true;
    if (chunk.length >= this.#left) {
      // The last bytes are known to be the last: head, body and end then share one write to the socket.
      const extra = chunk.length > this.#left;
      this.#finish();
      this.#endWith(extra ? chunk.subarray(0, this.#left) : chunk);
      if (extra) this.#source.cancel(new Error('the body is longer than its content-length'));
      return true;
    }
    this.#left -= chunk.length;
    if (this.#out.write(chunk)) return true;
    if (!this.#draining) {
      this.#draining = true;
      (this.#x.res as NodeJS.WritableStream).on('drain', () => {
        if (!this.#done) this.#source.resume();
      });
    }
    return false;
  }

  end(): void {
    if (this.#done) return;
    if (this.#left > 0 && this.#left !== Number.POSITIVE_INFINITY) {
      this.abort(new Error('the body is shorter than its content-length'));
      return;
    }
    this.#finish();
    this.#out.end();
  }

  abort(error: unknown): void {
    if (this.#done) return;
    this.#finish();
    this.#x.cut = error;
    const { req, res } = this.#x;
    // The client must see that the body is not whole: the connection breaks, or the stream is reset.
    if (req.httpVersionMajor === 2) (res as Http2ServerResponse).stream.close(2);
    else res.destroy();
  }

  #endWith(last: Uint8Array): void {
    const { req, res } = this.#x;
    const joins = last.length <= joinedBytes && !res.headersSent && req.httpVersionMajor < 2;
    if (joins) this.#out.end(latin1(last), 'latin1');
    else this.#out.end(last);
  }

  #finish(): void {
    this.#done = true;
    this.#x.nodeBody.source = undefined;
  }
}
