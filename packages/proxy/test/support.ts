import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { Policies } from '@weir/http/node';
import { type HttpOptions, weir } from '@weir/http/node';
import { createPool, type Pool, type PoolOptions, roundRobin } from '@weir/load-balancer';
import { afterEach, expect } from 'vitest';
import { type ProxyOptions, type ProxyPolicy, proxy } from '../src/index.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Has something closed after the test. */
export function cleanUp(close: () => unknown): void {
  open.push(close);
}

export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  cleanUp(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port that was free a moment ago: connections to it are refused. */
export async function refusingPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export type Handler = (req: IncomingMessage, res: ServerResponse) => void;

export interface Proxied {
  readonly port: number;
  readonly pool: Pool;
  readonly policy: ProxyPolicy;
}

export interface Around {
  readonly pool?: PoolOptions;
  readonly http?: HttpOptions;
  /** In front of the proxy. */
  readonly before?: Policies;
  /** Whether the first upstream is always asked first. */
  readonly ordered?: boolean;
}

/** Upstreams with these handlers, and a proxy in front of them. */
export async function proxied(
  handlers: readonly (Handler | 'refuses')[],
  options: ProxyOptions = {},
  around: Around = {},
): Promise<Proxied> {
  const ports = await Promise.all(
    handlers.map((handler) => (handler === 'refuses' ? refusingPort() : listen(createServer(handler)))),
  );
  return proxyTo(
    ports.map((port) => `http://127.0.0.1:${port}`),
    options,
    around,
  );
}

export async function proxyTo(
  urls: readonly string[],
  options: ProxyOptions = {},
  { pool: poolOptions, http, before = [], ordered = false }: Around = {},
): Promise<Proxied> {
  const upstreams = urls.map((url, i) => ({ url, priority: ordered ? i : 0 }));
  const pool = createPool(upstreams, { strategy: roundRobin(), ...poolOptions });
  const policy = proxy(pool, options);
  const policies = [...(Array.isArray(before) ? before : [before]), policy];
  const handler = weir(policies, { onFault: () => {}, ...http }).wrap(() => {}) as RequestListener;
  const port = await listen(createServer(handler));
  cleanUp(() => policy.close({ within: 0 }));
  cleanUp(() => pool.close());
  return { port, pool, policy };
}

export const inFlight = (pool: Pool): number => pool.upstreams.reduce((sum, each) => sum + each.inFlight, 0);

/** What the pool noted of each of its upstreams. */
export function noted(pool: Pool): { readonly succeeded: number; readonly failed: number }[] {
  const { upstreams } = pool.snapshot() as unknown as { upstreams: { succeeded: number; failed: number }[] };
  return upstreams.map(({ succeeded, failed }) => ({ succeeded, failed }));
}

/** One exchange in raw bytes, to see and to send what fetch would hide or refuse. */
export function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    cleanUp(() => socket.destroy());
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('close', () => resolve(received)).on('error', () => {});
  });
}

export const get = (target: string, ...lines: string[]): string =>
  [`GET ${target} HTTP/1.1`, 'Host: shop.example', 'Connection: close', ...lines, '', ''].join('\r\n');

/** A TCP server that keeps the bytes of each request, and answers with these. */
export async function rawUpstream(answer: string | ((socket: Socket, head: string) => void)): Promise<{
  readonly url: string;
  readonly requests: string[];
  readonly sockets: Set<Socket>;
}> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    let received = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (!received.includes('\r\n\r\n')) return;
      requests.push(received);
      const head = received;
      received = '';
      if (typeof answer === 'string') socket.write(answer, 'latin1');
      else answer(socket, head);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, sockets };
}

export const plainAnswer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** Answers with what it was asked, as JSON. */
export const echoHead: Handler = (req, res) => {
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, raw: req.rawHeaders }));
};

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly raw: readonly string[];
}

/** What an upstream with {@link echoHead} saw of a raw request. */
export async function seenBy(port: number, request: string): Promise<Seen> {
  const text = await raw(port, request);
  return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as Seen;
}

/** A promise and what settles it. */
export function gate<T = void>(): { readonly passed: Promise<T>; open(value: T): void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { passed: promise, open: resolve };
}

/** Counts sockets that are open on a server, as the operating system's side of it would. */
export function openSockets(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return sockets;
}

export const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 10_000, interval: 20 });

/** A client that keeps its connections, lighter than fetch. */
export function client(port: number): (body?: string) => Promise<{ status: number; text: string }> {
  const agent = new Agent({ keepAlive: true });
  cleanUp(() => agent.destroy());
  return (body) =>
    new Promise((resolve, reject) => {
      const req = request({ port, host: '127.0.0.1', agent, method: body === undefined ? 'GET' : 'POST' });
      req.on('error', reject).on('response', (res) => {
        let text = '';
        res.on('data', (chunk) => (text += chunk));
        res.on('error', reject).on('end', () => resolve({ status: res.statusCode as number, text }));
      });
      req.end(body);
    });
}
