import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import type { HistogramSample } from '@weir/core';
import { createPool, stickyCookie } from '@weir/load-balancer';
import { describe, expect, test } from 'vitest';
import { proxy, stripPrefix } from '../src/index.ts';
import {
  echoHead,
  eventually,
  gate,
  type Handler,
  inFlight,
  listen,
  noted,
  openSockets,
  proxied,
  proxyTo,
  rawUpstream,
} from './support.ts';

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

  test('an answer of 500 is passed on, and counts against the upstream', async () => {
    const { port, pool } = await proxied([(_req, res) => void res.writeHead(500).end('bug')]);
    const response = await fetch(`http://127.0.0.1:${port}`);
    expect([response.status, await response.text()]).toEqual([500, 'bug']);
    expect(pool.snapshot()).toMatchObject({ upstreams: [{ failed: 1, succeeded: 0 }] });
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

  describe.each([
    ['before the head', 'GET'],
    ['in the body', 'GET'],
    ['in the request', 'POST'],
    ['in both', 'POST'],
  ])('10 clients that leave %s', (when, method) => {
    test('leave no connection to the upstream open, nothing in flight, and nobody to blame', async () => {
      const arrived: (() => void)[] = [];
      const there = Array.from({ length: 10 }, () => new Promise<void>((resolve) => arrived.push(resolve)));
      const upstream = createServer((req, res) => {
        if (when === 'in the body' || when === 'in both') res.write('begun');
        req.resume();
        arrived.pop()?.();
      });
      const sockets = openSockets(upstream);
      const { port, pool, policy } = await proxyTo([`http://127.0.0.1:${await listen(upstream)}`]);
      const requests = there.map(() => {
        const req = request({ port, host: '127.0.0.1', method }).on('error', () => {});
        if (method === 'POST') req.write('half of it');
        else req.end();
        return req;
      });
      const heads = requests.map((req) => new Promise((resolve) => req.on('response', resolve)));
      await Promise.all(there);
      if (when === 'in the body' || when === 'in both') await Promise.all(heads);
      expect([sockets.size, inFlight(pool), policy.snapshot().inFlight]).toEqual([10, 10, 10]);
      for (const req of requests) {
        req.on('response', (res) => res.on('error', () => {}));
        req.destroy();
      }
      await eventually(() => [sockets.size, inFlight(pool), policy.snapshot().inFlight]).toEqual([0, 0, 0]);
      expect(noted(pool)).toEqual([{ succeeded: 0, failed: 0 }]);
    });
  });

  test('a client that leaves while the connection is made leaves nothing behind', async () => {
    // A TLS upstream that never shakes hands: the connection stays in the making.
    const { url, sockets } = await rawUpstream(() => {});
    const { port, pool } = await proxyTo([url.replace('http', 'https')], { timeout: { connect: 1_000 } });
    const req = request({ port, host: '127.0.0.1' }).on('error', () => {});
    req.end();
    await eventually(() => sockets.size).toBe(1);
    req.destroy();
    await eventually(() => inFlight(pool)).toBe(0);
    expect(noted(pool)).toEqual([{ succeeded: 0, failed: 0 }]);
    await eventually(() => sockets.size).toBe(0);
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

  test('an upstream that reads slowly holds the client back, and gets all of it', async () => {
    const total = 48 * 1024 * 1024;
    const there = gate();
    let goOn = (): void => {};
    const { port, pool } = await proxied([
      (req, res) => {
        let received = 0;
        req.pause();
        goOn = () => void req.resume();
        there.open();
        req.on('data', (chunk) => (received += chunk.length)).on('end', () => res.end(String(received)));
        req.pause();
      },
    ]);
    let sent = 0;
    const req = request({
      port,
      host: '127.0.0.1',
      method: 'POST',
      headers: { 'content-length': String(total) },
    });
    const answer = new Promise<string>((resolve) =>
      req.on('response', (res) => res.on('data', (chunk) => resolve(String(chunk)))),
    );
    const chunk = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (sent < total) {
        sent += chunk.length;
        if (!req.write(chunk)) return;
      }
      req.end();
    };
    req.on('drain', more);
    more();
    await there.passed;
    let before = -1;
    await expect.poll(() => before === (before = sent), { interval: 200, timeout: 10_000 }).toBe(true);
    expect(sent).toBeLessThan(total / 2);
    goOn();
    expect(await answer).toBe(String(total));
    expect(noted(pool)).toEqual([{ succeeded: 1, failed: 0 }]);
  });

  test('an answer that comes before the whole request is passed on, and the rest of the request is not waited for', async () => {
    const { port, pool, policy } = await proxied([(_req, res) => void res.writeHead(413).end('too large')]);
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegun'),
    );
    const answered = gate<string>();
    socket.on('error', () => {}).on('data', (chunk) => answered.open(chunk.toString()));
    expect(await answered.passed).toMatch(/^HTTP\/1\.1 413 /);
    await eventually(() => inFlight(pool)).toBe(0);
    expect(policy.snapshot()).toMatchObject({ inFlight: 0, answered: 1 });
    socket.destroy();
  });

  test('a body that a parser has read before is a fault that says so', async () => {
    const errors: unknown[] = [];
    const { port } = await proxied(
      [echoHead],
      {},
      {
        http: { onFault: (error) => errors.push(error) },
        before: {
          name: 'parser',
          enter: async (x) => {
            for await (const _chunk of x.raw as AsyncIterable<unknown>);
          },
        },
      },
    );
    expect((await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'x' })).status).toBe(500);
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_WEIR_BODY_CONSUMED' })]);
  });

  test('the pool is told the key and the address, and a sticky one keeps its clients', async () => {
    const name =
      (id: string): Handler =>
      (_req, res) =>
        void res.writeHead(200, { 'set-cookie': 'own=1' }).end(id);
    const { port } = await proxied(
      [name('a'), name('b'), name('c')],
      { key: (x) => x.header('x-user') },
      { pool: { sticky: stickyCookie({ secret: 'a secret of at least 32 characters' }) } },
    );
    const first = await fetch(`http://127.0.0.1:${port}`);
    const id = await first.text();
    const cookies = first.headers.getSetCookie();
    expect(cookies).toHaveLength(2);
    expect(cookies.join()).not.toMatch(/127\.0\.0\.1/);
    const cookie = cookies.map((each) => each.split(';', 1)[0]).join('; ');
    for (let i = 0; i < 5; i += 1) {
      const again = await fetch(`http://127.0.0.1:${port}`, { headers: { cookie } });
      expect(await again.text()).toBe(id);
      expect(again.headers.getSetCookie()).toEqual(['own=1']);
    }
  });

  test('its counters are metrics', async () => {
    const { port, policy } = await proxied(
      ['refuses', (_req, res) => void res.end('ok')],
      { name: 'api' },
      { ordered: true },
    );
    await (await fetch(`http://127.0.0.1:${port}`)).text();
    expect(policy).toMatchObject({ kind: 'proxy', name: 'api' });
    const value = (name: string, labels: object): unknown =>
      policy
        .metrics()
        .filter((each) => each.name === `weir_proxy_${name}`)
        .find((each) => Object.entries(labels).every(([label, text]) => each.labels[label] === text));
    for (const [name, labels, expected] of [
      ['requests_total', { result: 'answered' }, 1],
      ['requests_total', { result: 'aborted' }, 0],
      ['tries_total', {}, 2],
      ['retries_total', {}, 1],
      ['failures_total', { error: 'connection_refused' }, 1],
      ['in_flight', {}, 0],
    ] as const) {
      expect(value(name, { proxy: 'api', ...labels })).toMatchObject({ value: expected });
    }
    const { counts, bounds, sum } = value('upstream_head_seconds', {}) as HistogramSample;
    expect(counts).toHaveLength(bounds.length + 1);
    expect(counts.reduce((total, each) => total + each, 0)).toBe(1);
    expect(sum).toBeGreaterThan(0);
  });

  test.each([
    ['retry.max', { retry: { max: -1 } }],
    ['retry.statuses', { retry: { statuses: [200] } }],
    ['retry.statuses', { retry: { statuses: 503 } }],
    ['retry.maxWait', { retry: { maxWait: '2m' } }],
    ['ratio', { retry: { budget: { ratio: 2 } } }],
    ['retries', { retry: { retries: 1 } }],
    ['hedge.after', { hedge: {} }],
    ['hedge', { hedge: { after: 10 }, retry: false }],
    ['timeout.head', { timeout: { head: 'soon' } }],
    ['timeout.total', { timeout: { total: 0 } }],
    ['timeouts', { timeouts: {} }],
    ['failureRate', { breaker: { failureRate: 2 } }],
    ['key', { key: 'user' }],
    ['forwarded', { forwarded: true }],
    ['via', { via: 'a b' }],
    ['via', { via: '' }],
    ['host', { host: 'shop.example' }],
    ['rewrite', { rewrite: '/api' }],
    ['onRequest', { onRequest: 1 }],
    ['onResponse', { onResponse: {} }],
    ['headers.request', { headers: { request: [] } }],
    ['headers.request.a b', { headers: { request: { 'a b': '1' } } }],
    ['headers.response.x', { headers: { response: { x: 'a\r\nb' } } }],
    ['headers.response.x', { headers: { response: { x: true } } }],
    ['tls.servername', { tls: { servername: '' } }],
    ['tls.rejectUnauthorized', { tls: { rejectUnauthorized: 0 } }],
    ['name', { name: '' }],
  ])('refuses a bad `%s`', (option, options) => {
    expect(() => proxy(createPool([]), options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option }),
    );
  });

  test('refuses what is no pool', () => {
    for (const pool of [undefined, {}, ['http://127.0.0.1']]) {
      expect(() => proxy(pool as never)).toThrow(expect.objectContaining({ option: 'pool' }));
    }
  });
});

describe('stripPrefix', () => {
  test.each([
    ['/api/users?q', '/users?q'],
    ['/api', '/'],
    ['/api?q', '/?q'],
    ['/api/', '/'],
    ['/apis', '/apis'],
    ['/other/api/x', '/other/api/x'],
  ])('%s becomes %s', (target, expected) => {
    expect(stripPrefix('/api')(target)).toBe(expected);
  });

  test.each(['', '/', 'api', '/api/', '/a//b', '/a?b', 1])('refuses %s', (prefix) => {
    expect(() => stripPrefix(prefix as string)).toThrow(expect.objectContaining({ option: 'prefix' }));
  });
});
