import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createEdge } from '../src/edge.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function origin(listener: RequestListener): Promise<{ url: string; stop(): Promise<unknown> }> {
  const server = createServer(listener);
  const stop = async (): Promise<unknown> => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  closing.push(stop);
  return { url: `http://127.0.0.1:${await listen(server)}`, stop };
}

async function edge(url: string): Promise<number> {
  const { server, close } = createEdge(url);
  closing.push(close);
  return listen(server);
}

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

function ask(port: number, options: { method?: string; path?: string; body?: string } = {}): Promise<Answer> {
  const { method = 'GET', path = '/', body } = options;
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const req = request({ port, host: '127.0.0.1', method, path, headers, agent: false }, (res) => {
      let received = '';
      res.on('data', (chunk) => (received += chunk)).on('error', reject);
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: received }));
    });
    req.on('error', reject).end(body);
  });
}

test('what may be reused comes from memory', async () => {
  let asked = 0;
  const { url } = await origin((_req, res) => {
    asked += 1;
    res.writeHead(200, { 'cache-control': 'max-age=60' }).end(`answer ${asked}`);
  });
  const port = await edge(url);
  await ask(port);
  const second = await ask(port);
  expect(second).toMatchObject({ status: 200, body: 'answer 1' });
  expect(second.headers).toMatchObject({
    age: expect.stringMatching(/^\d+$/),
    'cache-status': expect.stringContaining('weir; hit; ttl='),
  });
  expect(asked).toBe(1);
});

test('what has neither a lifetime nor a validator is asked for again', async () => {
  let asked = 0;
  const { url } = await origin((_req, res) => {
    asked += 1;
    res.end(`answer ${asked}`);
  });
  const port = await edge(url);
  await ask(port);
  expect((await ask(port)).body).toBe('answer 2');
});

test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH', 'REPORT'])(
  '%s is passed on, with its body',
  async (method) => {
    const { url } = await origin((req, res) => {
      let received = '';
      req.on('data', (chunk) => (received += chunk));
      req.on('end', () => res.end(`${req.method} ${req.url} ${received}`));
    });
    const port = await edge(url);
    expect((await ask(port, { method, path: '/a?b=c', body: 'body' })).body).toBe(`${method} /a?b=c body`);
  },
);

test('when the origin is down, what may be stale is still served, and everything else is a 502', async () => {
  const control: Record<string, string> = { '/stale': 'max-age=0', '/strict': 'max-age=0, must-revalidate' };
  const { url, stop } = await origin((req, res) => {
    res.writeHead(200, { 'cache-control': control[req.url ?? ''] ?? 'no-store' }).end('good');
  });
  const port = await edge(url);
  for (const path of ['/stale', '/strict', '/other']) expect((await ask(port, { path })).body).toBe('good');
  await stop();
  const stale = await ask(port, { path: '/stale' });
  expect(stale).toMatchObject({ status: 200, body: 'good' });
  expect(stale.headers['cache-status']).toContain('detail=stale-if-error');
  for (const path of ['/strict', '/other']) expect((await ask(port, { path })).status).toBe(502);
});

test('with stale-while-revalidate nobody waits for the origin', async () => {
  let asked = 0;
  let renewed: () => void = () => {};
  const again = new Promise<void>((resolve) => {
    renewed = resolve;
  });
  const { url } = await origin((req, res) => {
    asked += 1;
    const headers = { 'cache-control': 'max-age=0, stale-while-revalidate=60', etag: '"a"' };
    if (asked === 1) res.writeHead(200, headers).end('good');
    else {
      expect(req.headers['if-none-match']).toBe('"a"');
      res.writeHead(304, headers).end();
      renewed();
    }
  });
  const port = await edge(url);
  await ask(port);
  expect(await ask(port)).toMatchObject({ status: 200, body: 'good' });
  await again;
});

test('started as a program, it takes origin and port from its arguments or the environment', async () => {
  const { url } = await origin((_req, res) => res.end('hello'));
  const start = (args: string[], env: Record<string, string>): ChildProcess => {
    const main = join(import.meta.dirname, '../src/main.ts');
    const child = spawn(process.execPath, ['--conditions=@weir/source', main, ...args], {
      env: { ...process.env, ORIGIN: '', PORT: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    closing.push(() => child.kill('SIGKILL'));
    return child;
  };
  const serves = async (args: string[], env: Record<string, string>): Promise<void> => {
    const [line] = await once(start(args, env).stdout!, 'data');
    const port = /^http:\/\/localhost:(\d+) serves /.exec(String(line))?.[1];
    expect((await ask(Number(port))).body).toBe('hello');
  };
  const refuses = async (...args: string[]): Promise<void> => {
    const child = start(args, {});
    const exit = once(child, 'exit');
    const [line] = await once(child.stderr!, 'data');
    expect(String(line)).toContain('usage:');
    expect((await exit)[0]).toBe(1);
  };
  await Promise.all([serves([url, '0'], {}), serves([], { ORIGIN: url, PORT: '0' })]);
  await Promise.all([refuses(), refuses('http://localhost:1/path'), refuses(url, '70000')]);
}, 60_000);
