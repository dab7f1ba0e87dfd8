import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { weir as expressWeir } from '@weir/http/express';
import { weir as honoWeir } from '@weir/http/hono';
import { configure, weir } from '@weir/http/node';
import express from 'express';
import { Hono } from 'hono';
import { stream } from 'hono/streaming';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createLimiter,
  fixedWindow,
  leakyBucket,
  protectLogin,
  type RateLimitPolicy,
  rateLimit,
  slidingLog,
  tokenBucket,
} from '../src/index.ts';
import { parseList } from './structured-fields.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

function ask(
  port: number,
  path = '/hello',
  options: { method?: string; headers?: { [name: string]: string }; signal?: AbortSignal } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, path, host: '127.0.0.1', agent: false, ...options }, (res) => {
      let body = '';
      res.setEncoding('utf8');
      res.on('data', (chunk) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode!, headers: res.headers, body }));
      res.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}

type Policies = readonly RateLimitPolicy[];

function nodeRoutes(req: IncomingMessage, res: ServerResponse): void {
  if (req.url === '/redirect') res.writeHead(302, { location: '/hello' }).end();
  else if (req.url === '/throw') throw new Error('boom');
  else if (req.url === '/login') res.writeHead(req.headers['x-password'] === 'right' ? 200 : 401).end();
  else if (req.url === '/stream') {
    res.write('one,');
    setImmediate(() => res.end('two'));
  } else res.end('hello');
}

const hosts: readonly [string, (policies: Policies) => Server][] = [
  ['node', (policies) => createServer(weir(policies, { onFault: () => {} }).wrap(nodeRoutes))],
  [
    'express',
    (policies) => {
      const app = express();
      app.use(expressWeir(policies, { onFault: () => {} }));
      app.use((req, res) => nodeRoutes(req, res));
      app.use(
        (_error: unknown, _req: unknown, res: express.Response, _next: unknown) => void res.status(500).end(),
      );
      return createServer(app);
    },
  ],
  [
    'hono',
    (policies) => {
      const app = new Hono();
      app.use(honoWeir(policies, { onFault: () => {} }));
      app.get('/redirect', (c) => c.redirect('/hello'));
      app.get('/throw', () => {
        throw new Error('boom');
      });
      app.get('/login', (c) => c.body(null, c.req.header('x-password') === 'right' ? 200 : 401));
      app.get('/stream', (c) =>
        stream(c, async (out) => {
          await out.write('one,');
          await out.write('two');
        }),
      );
      app.all('*', (c) => c.text('hello'));
      app.onError((_error, c) => c.body(null, 500));
      return createAdaptorServer({ fetch: app.fetch }) as Server;
    },
  ],
];

describe.each(hosts)('on %s', (_, serve) => {
  test('a client gets what it may have, and then a 429 that says when to come back', async () => {
    const limits = [
      slidingLog({ limit: 2, per: '1h', name: 'hour' }),
      tokenBucket({ limit: 9, per: '1s', name: 'burst' }),
    ];
    const port = await listen(serve([rateLimit({ limits })]));
    const first = await ask(port);
    expect(first).toMatchObject({ status: 200, body: 'hello' });
    expect(parseList(String(first.headers.ratelimit))).toMatchObject([
      { value: 'hour', parameters: { r: 1 } },
      { value: 'burst', parameters: { r: 8 } },
    ]);
    expect(first.headers['ratelimit-policy']).toBe('"hour";q=2;w=3600, "burst";q=9;w=1');
    await ask(port, '/redirect');
    const refused = await ask(port);
    expect(refused.status).toBe(429);
    expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(Number(refused.headers['retry-after'])).toBe(3600);
    expect(JSON.parse(refused.body)).toMatchObject({ status: 429, 'violated-policies': ['hour'] });
    const [hour] = parseList(String(refused.headers.ratelimit));
    expect(hour).toEqual({ value: 'hour', parameters: { r: 0, t: 3600 } });
    const head = await ask(port, '/hello', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 429, body: '' });
    expect(head.headers['retry-after']).toBe('3600');
  });

  test('headers are on redirects, streams and errors too', async () => {
    const policy = rateLimit({ limits: fixedWindow({ limit: 1000, per: '1d', name: 'day' }) });
    const port = await listen(serve([policy]));
    for (const [path, status, body] of [
      ['/redirect', 302, undefined],
      ['/stream', 200, 'one,two'],
      ['/throw', 500, undefined],
    ] as const) {
      const answer = await ask(port, path);
      expect(answer.status).toBe(status);
      if (body !== undefined) expect(answer.body).toBe(body);
      expect(parseList(String(answer.headers.ratelimit))[0]).toMatchObject({ value: 'day' });
    }
  });

  test('two limiters on one route add their headers', async () => {
    const port = await listen(
      serve([
        rateLimit({ limits: fixedWindow({ limit: 100, per: '1d', name: 'all' }) }),
        rateLimit({ limits: fixedWindow({ limit: 5, per: '1h', name: 'route' }) }),
      ]),
    );
    const { headers } = await ask(port);
    expect(parseList(String(headers.ratelimit)).map(({ value }) => value)).toEqual(['all', 'route']);
    expect(parseList(String(headers['ratelimit-policy']))).toHaveLength(2);
  });

  test('failed logins count, and others do not', async () => {
    const policies = protectLogin({
      account: (x) => x.header('x-account'),
      perPair: slidingLog({ limit: 3, per: '1h' }),
    });
    const port = await listen(serve(policies));
    const login = async (password: string, account = 'ann'): Promise<number> =>
      (await ask(port, '/login', { headers: { 'x-account': account, 'x-password': password } })).status;
    for (let i = 0; i < 5; i += 1) expect(await login('right')).toBe(200);
    expect([await login('a'), await login('b'), await login('c')]).toEqual([401, 401, 401]);
    // What a response costs is settled when it has ended, which a client may hear of a little sooner.
    expect([await login('d'), await login('right')]).toEqual([429, 429]);
    expect(await login('right', 'bob')).toBe(200);
  });

  test('a client that goes away while it is held is charged nothing, and those behind it move up', async () => {
    const limiter = createLimiter({ limits: leakyBucket({ limit: 20, per: '1s', capacity: 10 }) });
    const port = await listen(serve([rateLimit({ limiter, wait: '10s' })]));
    limiter.block('127.0.0.1', '1d');
    const gone = new AbortController();
    const hold = rateLimit({ limiter, wait: '23d' });
    const holding = await listen(serve([hold]));
    const left = ask(holding, '/hello', { signal: gone.signal });
    left.catch(() => {});
    await until(() => Number(limiter.snapshot().waiting) === 1);
    gone.abort();
    await expect(left).rejects.toThrow();
    await until(() => Number(limiter.snapshot().waiting) === 0);
    limiter.reset('127.0.0.1');
    const answers = await Promise.all(Array.from({ length: 3 }, () => ask(port)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(limiter.snapshot()).toMatchObject({ allowed: 3, refused: 0 });
  });

  test('a preflight is not counted', async () => {
    const port = await listen(serve([rateLimit({ limits: fixedWindow({ limit: 1, per: '1d' }) })]));
    for (let i = 0; i < 3; i += 1) {
      const { status, headers } = await ask(port, '/hello', {
        method: 'OPTIONS',
        headers: { 'access-control-request-method': 'PUT', origin: 'https://example.org' },
      });
      expect(status).not.toBe(429);
      expect(headers.ratelimit).toBeUndefined();
    }
    expect((await ask(port)).status).toBe(200);
  });

  test('a shadow limiter refuses nobody and shows nothing', async () => {
    const policy = rateLimit({ limits: fixedWindow({ limit: 1, per: '1d' }), shadow: true });
    const port = await listen(serve([policy]));
    for (let i = 0; i < 3; i += 1) {
      const { status, headers } = await ask(port);
      expect(status).toBe(200);
      expect(headers.ratelimit).toBeUndefined();
    }
    expect(policy.limiter.snapshot()).toMatchObject({ allowed: 1, shadowRefused: 2 });
  });
});

describe('who a client is', () => {
  const limited = (): RateLimitPolicy => rateLimit({ limits: fixedWindow({ limit: 1, per: '1d' }) });
  const from = async (port: number, forwarded: string): Promise<number> =>
    (await ask(port, '/', { headers: { 'x-forwarded-for': forwarded } })).status;

  test('is the peer, whatever it says of itself', async () => {
    const port = await listen(createServer(weir(limited()).wrap(nodeRoutes)));
    expect([await from(port, '198.51.100.1'), await from(port, '198.51.100.2')]).toEqual([200, 429]);
  });

  test('is what as many proxies say as are trusted, and nothing that was put in front of that', async () => {
    for (const trustedProxies of [1, 2]) {
      const guard = configure({ trustedProxies })(limited());
      const port = await listen(createServer(guard.wrap(nodeRoutes)));
      const behind = trustedProxies === 2 ? ', 10.0.0.9' : '';
      const statuses = [];
      for (const spoofed of ['', '203.0.113.1, ', '203.0.113.2, ']) {
        statuses.push(await from(port, `${spoofed}198.51.100.1${behind}`));
      }
      expect(statuses).toEqual([200, 429, 429]);
      expect(await from(port, `198.51.100.2${behind}`)).toBe(200);
    }
  });

  test('is the same through IPv4 and through IPv4 in IPv6', async () => {
    const guard = configure({ trustedProxies: 1 })(limited());
    const port = await listen(createServer(guard.wrap(nodeRoutes)));
    expect(await from(port, '::ffff:198.51.100.1')).toBe(200);
    expect(await from(port, '198.51.100.1')).toBe(429);
    expect(await from(port, '198.51.100.1:5555')).toBe(429);
    expect(await from(port, '[2001:db8::1]:5555')).toBe(200);
    expect(await from(port, '2001:db8::2')).toBe(429);
    expect(await from(port, 'fe80::1%eth0')).toBe(200);
    expect(await from(port, 'fe80::1%eth1')).toBe(429);
  });
});

/** Waits for what the server sees a little later than its client. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
