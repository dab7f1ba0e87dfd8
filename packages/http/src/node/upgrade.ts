import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Policy, Reply } from '@weir/core';
import { discard, isSource } from '../internal/exchange.ts';
import { gone, run } from '../internal/run.ts';
import type { Settings } from '../internal/settings.ts';
import { type NodeRequest, NodeRequestExchange } from './request-exchange.ts';

/**
 * The exchange of an upgrade request. Its response is whatever the handler first writes to the socket; it ends when
 * the socket closes, so that a tunnel counts for as long as it lasts.
 */
class UpgradeExchange extends NodeRequestExchange<NodeRequest> {
  readonly socket: Duplex;
  /** Set by policies, sent with a refusal; a handler that accepts writes its own head. */
  readonly headers: string[] = [];
  readonly body: undefined = undefined;
  private readonly controller = new AbortController();
  private answering = false;

  constructor(req: NodeRequest, socket: Duplex, settings: Settings) {
    super(req, req, settings, undefined);
    this.socket = socket;
    socket.on('close', () => {
      if (!this.answering) this.controller.abort(new Error('the client has gone'));
      this.finish(this.answering ? 'complete' : 'aborted');
    });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  setHeader(name: string, value: string): void {
    this.headers.push(name, value);
  }

  appendHeader(name: string, value: string): void {
    this.headers.push(name, value);
  }

  watch(): void {}

  /** Sees the status in the first bytes that go out. */
  listen(): void {
    const { socket } = this;
    const write = socket.write;
    socket.write = (chunk: unknown, ...rest: unknown[]) => {
      socket.write = write;
      const text =
        typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('latin1', 0, 16);
      this.begin(Number(/^HTTP\/1\.\d (\d{3})/.exec(text)?.[1] ?? 101));
      return (write as (...args: unknown[]) => boolean).call(socket, chunk, ...rest);
    };
  }

  begin(status: number): void {
    this.answering = true;
    this.headSent(status);
  }

  refuse(reply: Reply): void {
    const { status, headers = [], body } = reply;
    const text = body === undefined || isSource(body) ? '' : body;
    discard(reply, new Error('a refused upgrade has no streaming body'));
    const own = new Set(headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
    const policies = this.headers.flatMap((name, i, all) =>
      i % 2 === 0 && !own.has(name.toLowerCase()) ? [name, all[i + 1] as string] : [],
    );
    const pairs = [
      ...policies,
      ...headers,
      'content-length',
      String(Buffer.byteLength(text)),
      'connection',
      'close',
    ];
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    for (let i = 0; i < pairs.length; i += 2) head += `${pairs[i]}: ${pairs[i + 1]}\r\n`;
    this.begin(status);
    this.socket.write(`${head}\r\n`);
    this.socket.end(text);
  }
}

/** Runs policies before an upgrade: a refusal is written to the socket, otherwise the handler takes it over. */
export function upgrade(
  policies: readonly Policy[],
  settings: Settings,
  handler: (req: NodeRequest, socket: Duplex, head: Buffer) => void,
): (req: NodeRequest, socket: Duplex, head: Buffer) => void {
  return (req, socket, head) => {
    // Without a listener a client that resets the connection would end the process.
    socket.on('error', () => {});
    const x = new UpgradeExchange(req, socket, settings);
    const settle = (reply: Reply | undefined, early: Buffer): void => {
      if (reply === gone) return;
      if (reply !== undefined) {
        x.refuse(reply);
        return;
      }
      x.listen();
      handler(req, socket, early);
    };
    const entered = run(x, policies);
    if (!(entered instanceof Promise)) {
      settle(entered, head);
      return;
    }
    const heldBack = hold(socket, head);
    void entered.then((reply) => settle(reply, heldBack()));
  };
}

/** What a client may send before it is let through. */
const earlyLimit = 64 * 1024;

/**
 * Reads a socket while nobody has taken it over: only so does it become known that the client has gone.
 *
 * @returns a function that stops reading and gives back what came
 */
function hold(socket: Duplex, head: Buffer): () => Buffer {
  const early = [head];
  let size = head.length;
  const data = (chunk: Buffer): void => {
    early.push(chunk);
    size += chunk.length;
    if (size > earlyLimit) socket.pause();
  };
  const ended = (): void => void socket.destroy();
  socket.on('data', data).on('end', ended);
  return () => {
    socket.pause().off('data', data).off('end', ended);
    // As it came: not flowing, and starting to flow as soon as somebody listens.
    (socket as { readableFlowing: boolean | null }).readableFlowing = null;
    return Buffer.concat(early);
  };
}
