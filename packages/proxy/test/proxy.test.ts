import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { weir } from '@weir/http/node';
import { createPool, type Pool, roundRobin } from '@weir/load-balancer';
import { afterEach, describe, expect, test } from 'vitest';
import { type ProxyOptions, proxy } from '../src/index.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** Upstreams with these handlers, and a proxy in front of them. */
async function proxied(handlers: readonly (Handler | 'refuses')[], options: ProxyOptions = {}) {
  const ports = await Promise.all(
    handlers.map(async (handler) => {
      if (handler !== 'refuses') return listen(createServer(handler));
      // A port that was free a moment ago: connections to it are refused.
      const server = createServer();
      const port = await listen(server);
      server.close();
      return port;
    }),
  );
  const pool = createPool(
    ports.map((port) => `http://127.0.0.1:${port}`),
    { strategy: roundRobin(), outliers: { consecutiveFailures: 3 } },
  );
  const policy = proxy(pool, options);
  const port = await listen(createServer(weir(policy, { onFault: () => {} }).wrap(() => {})));
  open.push(() => void policy.close());
  return { port, pool };
}

const inFlight = (pool: Pool): number => pool.upstreams.reduce((sum, each) => sum + each.inFlight, 0);

/** One exchange in raw bytes, to see what fetch would hide. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('close', () => resolve(received)).on('error', () => {});
  });
}

const echoHead: Handler = (req, res) => {
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, raw: req.rawHeaders }));
};

describe('proxy', () => {
  test('passes method, path, query, headers and body on, and the answer back', async () => {
    const { port, pool } = await proxied([
      (req, res) => {
        res.writeHead(201, { 'x-upstream': 'yes', 'set-cookie': ['a=1', 'b=2'] });
        req.pipe(res);
      },
    ]);
    const body = 'x'.repeat(200_000);
    const response = await fetch(`http://127.0.0.1:${port}/a/b?c=d`, { method: 'POST', body });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-upstream')).toBe('yes');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await response.text()).toBe(body);
    expect(inFlight(pool)).toBe(0);
  });

  test('spreads requests over the upstreams', async () => {
    const name =
      (id: string): Handler =>
      (_req, res) =>
        void res.end(id);
    const { port } = await proxied([name('a'), name('b'), name('c')]);
    const seen: string[] = [];
    for (let i = 0; i < 6; i += 1) seen.push(await (await fetch(`http://127.0.0.1:${port}`)).text());
    expect(seen.toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  });

  test('ends hop-by-hop fields here, also those that Connection names, and writes the forwarding ones anew', async () => {
    const { port } = await proxied([echoHead]);
    const text = await raw(
      port,
      'GET /p HTTP/1.1\r\nHost: shop.example\r\nConnection: close, x-internal, authorization\r\nX-Internal: 1\r\n' +
        'Authorization: Bearer t\r\nTE: trailers\r\nProxy-Authorization: secret\r\nKeep-Alive: timeout=5\r\n' +
        'X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Custom: kept\r\n\r\n',
    );
    const { headers } = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
    expect(headers).toMatchObject({
      authorization: 'Bearer t',
      'x-custom': 'kept',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-proto': 'http',
    });
    for (const name of ['x-internal', 'te', 'proxy-authorization', 'keep-alive', 'forwarded']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  test('ends hop-by-hop fields of the response here', async () => {
    const { port } = await proxied([
      (_req, res) => {
        res.writeHead(200, {
          connection: 'x-internal',
          'x-internal': '1',
          'proxy-authenticate': 'Basic',
          'x-kept': '1',
        });
        res.end('ok');
      },
    ]);
    const text = await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(text).toContain('x-kept: 1');
    expect(text).not.toMatch(/x-internal|proxy-authenticate/i);
  });

  test.each([
    ['GET http://evil.test/p?q HTTP/1.1', '/p?q'],
    ['GET //evil.test/p HTTP/1.1', '//evil.test/p'],
    ['GET /a/..%2f../b HTTP/1.1', '/a/..%2f../b'],
  ])('%s goes to the upstream as %s, and never to another host', async (line, url) => {
    const { port } = await proxied([echoHead]);
    const text = await raw(port, `${line}\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const seen = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
    expect(seen.url).toBe(url);
    expect(seen.headers.host).toMatch(/^127\.0\.0\.1:/);
  });

  test('an idempotent request that one upstream refuses is answered by another', async () => {
    const { port, pool } = await proxied(['refuses', (_req, res) => void res.end('alive')]);
    for (let i = 0; i < 20; i += 1) {
      const response = await fetch(`http://127.0.0.1:${port}`);
      expect([response.status, await response.text()]).toEqual([200, 'alive']);
    }
    expect(pool.upstreams[0]?.state).toBe('ejected');
    expect(inFlight(pool)).toBe(0);
  });

  test('a POST is sent once only', async () => {
    let hits = 0;
    const dies: Handler = (req) => {
      hits += 1;
      req.socket.destroy();
    };
    const { port } = await proxied([dies, dies]);
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'order' });
    expect(response.status).toBe(502);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(hits).toBe(1);
  });

  test('a GET is tried as often as allowed, then answered with 502', async () => {
    let hits = 0;
    const dies: Handler = (req) => {
      hits += 1;
      req.socket.destroy();
    };
    const { port, pool } = await proxied([dies, dies, dies], { retry: { max: 1 } });
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(502);
    expect(hits).toBe(2);
    expect(inFlight(pool)).toBe(0);
  });

  test('an upstream that does not answer in time gets the client a 504', async () => {
    const { port, pool } = await proxied([() => {}], { timeout: { head: 50 }, retry: { max: 0 } });
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(504);
    expect(inFlight(pool)).toBe(0);
  });

  test('an empty pool answers 503 with Retry-After', async () => {
    const { port } = await proxied([]);
    const response = await fetch(`http://127.0.0.1:${port}`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
  });

  test('an answer of 500 is passed on, and counts against the upstream', async () => {
    const { port, pool } = await proxied([(_req, res) => void res.writeHead(500).end('bug')]);
    const response = await fetch(`http://127.0.0.1:${port}`);
    expect([response.status, await response.text()]).toEqual([500, 'bug']);
    expect(pool.snapshot()).toMatchObject({ upstreams: [{ failed: 1, succeeded: 0 }] });
  });

  test('an upstream that breaks off in mid-body breaks the client’s connection too', async () => {
    const { port, pool } = await proxied([
      (_req, res) => {
        res.writeHead(200, { 'content-length': '100' });
        res.write('half', () => res.destroy());
      },
    ]);
    await expect(fetch(`http://127.0.0.1:${port}`).then((response) => response.text())).rejects.toThrow();
    expect(inFlight(pool)).toBe(0);
    expect(pool.snapshot()).toMatchObject({ upstreams: [{ failed: 1 }] });
  });

  test('204, 304 and HEAD have no body', async () => {
    const { port } = await proxied([
      (req, res) => {
        const status = Number(req.url?.slice(1));
        res.writeHead(status, req.method === 'HEAD' ? { 'content-length': '5' } : {}).end();
      },
    ]);
    expect((await fetch(`http://127.0.0.1:${port}/204`)).status).toBe(204);
    expect((await fetch(`http://127.0.0.1:${port}/304`)).status).toBe(304);
    const head = await fetch(`http://127.0.0.1:${port}/200`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('5');
  });

  describe.each(['before the head', 'in the body', 'in the request'])('a client that leaves %s', (when) => {
    test('closes the upstream’s connection and blames nobody', async () => {
      let arrived = (): void => {};
      const there = new Promise<void>((resolve) => (arrived = resolve));
      const sockets = new Set<unknown>();
      const { port, pool } = await proxied([
        (req, res) => {
          sockets.add(req.socket);
          req.socket.on('close', () => sockets.delete(req.socket));
          if (when === 'in the body') res.write('begun');
          arrived();
        },
      ]);
      const req = request({ port, host: '127.0.0.1', method: when === 'in the request' ? 'POST' : 'GET' });
      req.on('error', () => {});
      if (when === 'in the request') req.write('half of it');
      else req.end();
      if (when === 'in the body') await new Promise((resolve) => req.on('response', resolve));
      await there;
      expect(sockets.size).toBe(1);
      req.destroy();
      await expect.poll(() => sockets.size).toBe(0);
      await expect.poll(() => inFlight(pool)).toBe(0);
      expect(pool.snapshot()).toMatchObject({ upstreams: [{ failed: 0, succeeded: 0 }] });
    });
  });

  test('a client that reads slowly holds the upstream back', async () => {
    const total = 64 * 1024 * 1024;
    let sent = 0;
    const { port } = await proxied([
      (_req, res) => {
        const chunk = Buffer.alloc(64 * 1024);
        const more = (): void => {
          while (sent < total) {
            sent += chunk.length;
            if (!res.write(chunk)) {
              res.once('drain', more);
              return;
            }
          }
          res.end();
        };
        more();
      },
    ]);
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    );
    socket.on('error', () => {});
    socket.once('data', () => socket.pause());
    // What has gone out by the time nothing moves any more sits in buffers, not in the proxy's memory.
    let before = -1;
    await expect.poll(() => before === (before = sent) && sent > 0, { interval: 200 }).toBe(true);
    expect(sent).toBeLessThan(total / 2);
    let received = 0;
    socket.on('data', (chunk) => (received += chunk.length)).resume();
    await new Promise((resolve) => socket.on('close', resolve));
    expect(received).toBeGreaterThan(total - 64 * 1024);
  });

  test('a connection that never comes is a timeout', async () => {
    // A listener whose queue is full accepts nobody; the address of a test network routes nowhere. Neither is portable,
    // so a peer that accepts and stays silent stands in, with the head's own deadline.
    const silent = createTcpServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    open.push(() => silent.close());
    const pool = createPool([`http://127.0.0.1:${(silent.address() as AddressInfo).port}`]);
    const policy = proxy(pool, { timeout: { head: 50 }, retry: { max: 0 } });
    const port = await listen(createServer(weir(policy).wrap(() => {})));
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(504);
    await policy.close();
  });

  test.each([
    ['retry.max', { retry: { max: -1 } }],
    ['timeout.head', { timeout: { head: 'soon' } }],
    ['timeouts', { timeouts: {} }],
  ])('refuses a bad `%s`', (option, options) => {
    expect(() => proxy(createPool([]), options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option }),
    );
  });
});
