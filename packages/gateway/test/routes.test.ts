import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { hashApiKey } from '../src/index.ts';
import { origin, start } from './fixtures.ts';

const seen = (body: string): { url: string; headers: Record<string, string> } => JSON.parse(body);

describe('a request finds its route', () => {
  test.each([
    ['/api/a', 'api.example', 'GET', 'host'],
    ['/api/a', 'API.example:8080', 'GET', 'host'],
    ['/api/a', 'other.example', 'GET', 'prefix'],
    ['/api', 'other.example', 'GET', 'prefix'],
    ['/apis', 'other.example', 'GET', 'rest'],
    ['/api/a', 'x.wild.example', 'GET', 'wild'],
    ['/api/a', 'wild.example', 'GET', 'prefix'],
    ['/exact', 'a', 'POST', 'exact'],
    ['/exact', 'a', 'GET', 'rest'],
    ['/exact?a=1', 'a', 'POST', 'exact'],
    ['/read', 'a', 'HEAD', 'read'],
    ['/', 'a', 'GET', 'rest'],
  ])('%s of %s by %s', async (path, host, method, name) => {
    const respond = (text: string) => ({
      respond: { status: 200, headers: { 'x-route': text }, body: text },
    });
    await using gateway = await start({
      upstreams: {},
      routes: [
        { match: { host: 'api.example', path: '/api/*' }, ...respond('host') },
        { match: { host: '*.wild.example' }, ...respond('wild') },
        { match: { path: '/api/*' }, ...respond('prefix') },
        { match: { path: '/exact', method: 'POST' }, ...respond('exact') },
        { match: { path: '/read', method: ['GET'] }, ...respond('read') },
        { match: {}, ...respond('rest') },
      ],
    });
    const answer = await gateway.ask(path, { method, headers: { host } });
    expect(answer.headers['x-route']).toBe(name);
  });

  test('or is told that there is none', async () => {
    await using gateway = await start({
      upstreams: {},
      routes: [{ match: { path: '/a' }, respond: { status: 200 } }],
    });
    const answer = await gateway.ask('/b');
    expect([answer.status, answer.headers['content-type']]).toEqual([404, 'application/problem+json']);
  });

  test.each([
    '/a/../admin',
    '/a/%2e%2e/admin',
    '/a/..%2fadmin',
    '/a/%2E%2E%5Cadmin',
    '/./a',
    '/%',
    '/a%00',
    '/a/..;/admin',
  ])('%s does not say where it leads, and is refused before any route', async (path) => {
    await using gateway = await start({ upstreams: {}, routes: [{ match: {}, respond: { status: 200 } }] });
    expect((await gateway.ask(path)).status).toBe(400);
  });
});

describe('on its way', () => {
  test('a path, a query and headers are changed as the route says', async () => {
    await using server = await origin();
    await using gateway = await start({
      upstreams: { api: { servers: [server.url] } },
      routes: [
        {
          match: { path: '/api/*' },
          upstream: 'api',
          stripPrefix: '/api',
          addPrefix: '/v2',
          query: { set: { source: 'gateway' }, remove: ['debug'] },
          headers: { request: { 'x-tier': 'gold', 'x-secret': false }, response: { 'x-served-by': 'weir' } },
        },
      ],
    });
    const answer = await gateway.ask('/api/users?id=1&debug=1', { headers: { 'x-secret': 'a' } });
    const { url, headers } = seen(answer.body);
    expect(url).toBe('/v2/users?id=1&source=gateway');
    expect([headers['x-tier'], headers['x-secret']]).toEqual(['gold', undefined]);
    expect(answer.headers['x-served-by']).toBe('weir');
  });

  test('a request has an id and a trace, its own if they are fit to be used', async () => {
    await using server = await origin();
    await using gateway = await start({
      upstreams: { api: { servers: [server.url] } },
      routes: [{ match: {}, upstream: 'api' }],
    });
    const made = await gateway.ask('/');
    expect(made.headers['x-request-id']).toMatch(/^[\da-f-]{36}$/);
    expect(seen(made.body).headers['x-request-id']).toBe(made.headers['x-request-id']);
    expect(seen(made.body).headers.traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
    const kept = await gateway.ask('/', { headers: { 'x-request-id': 'abc', traceparent } });
    expect(kept.headers['x-request-id']).toBe('abc');
    expect(seen(kept.body).headers).toMatchObject({ 'x-request-id': 'abc', traceparent });
    const forged = await gateway.ask('/', { headers: { 'x-request-id': 'a b"c', traceparent: 'x' } });
    expect(forged.headers['x-request-id']).not.toContain(' ');
    expect(seen(forged.body).headers.traceparent).toMatch(/^00-/);
  });

  test('a trace of its own, which no other one has', async () => {
    await using server = await origin();
    await using gateway = await start({
      upstreams: { api: { servers: [server.url] } },
      routes: [{ match: {}, upstream: 'api' }],
    });
    const asked = Array.from(
      { length: 400 },
      async () => seen((await gateway.ask('/')).body).headers.traceparent,
    );
    const halves = (await Promise.all(asked)).flatMap((trace) => trace?.match(/[\da-f]{16}/g) ?? []);
    expect(new Set(halves).size).toBe(400 * 3);
  });

  test('a body that is too large is refused before any of it goes upstream, and one of unknown length too', async () => {
    await using server = await origin();
    await using gateway = await start({
      upstreams: { api: { servers: [server.url] } },
      routes: [{ match: {}, upstream: 'api', maxBody: 5 }],
    });
    expect(
      (await gateway.ask('/', { method: 'POST', body: '12345', headers: { 'content-length': '5' } })).status,
    ).toBe(200);
    expect(
      (await gateway.ask('/', { method: 'POST', body: '123456', headers: { 'content-length': '6' } })).status,
    ).toBe(413);
    expect(
      (await gateway.ask('/', { method: 'POST', body: '1', headers: { 'transfer-encoding': 'chunked' } }))
        .status,
    ).toBe(411);
    expect(server.requests).toHaveLength(1);
  });

  test('a failing upstream is covered by what the route falls back to, a working one is not', async () => {
    let status = 200;
    await using server = await origin((_req, res) => {
      res.statusCode = status;
      res.end('origin');
    });
    await using gateway = await start({
      upstreams: {
        api: { servers: [server.url], outliers: false },
        gone: { servers: ['http://127.0.0.1:1'] },
      },
      routes: [
        { match: { path: '/gone' }, upstream: 'gone', fallback: { status: 200, body: 'instead' } },
        {
          match: {},
          upstream: 'api',
          retry: false,
          fallback: { status: 200, headers: { 'x-from': 'fallback' }, body: 'instead' },
        },
      ],
    });
    expect((await gateway.ask('/')).body).toBe('origin');
    status = 503;
    const covered = await gateway.ask('/');
    expect([covered.status, covered.body, covered.headers['x-from']]).toEqual([200, 'instead', 'fallback']);
    status = 500;
    expect((await gateway.ask('/')).status).toBe(500);
    expect((await gateway.ask('/gone')).body).toBe('instead');
  });

  test("a cached answer does not reach the upstream again, and is not another caller's", async () => {
    await using server = await origin((req, res) => {
      res.writeHead(200, { 'cache-control': 'max-age=60' }).end(`for ${req.headers['x-api-key']}`);
    });
    await using gateway = await start({
      upstreams: { api: { servers: [server.url] } },
      auth: {
        keys: {
          type: 'api-key',
          keys: [
            { id: 'a', hash: hashApiKey('key-a') },
            { id: 'b', hash: hashApiKey('key-b') },
          ],
        },
      },
      routes: [{ match: {}, upstream: 'api', auth: 'keys', cache: {} }],
    });
    const as = (key: string) => gateway.ask('/', { headers: { 'x-api-key': key } });
    expect((await as('key-a')).body).toBe('for key-a');
    expect((await as('key-a')).headers['cache-status']).toMatch(/hit/);
    expect((await as('key-b')).body).toBe('for key-b');
    expect(server.requests).toHaveLength(2);
    expect((await gateway.ask('/')).status).toBe(401);
  });

  test('a limit counts by who has signed in, elsewhere by address, and says so', async () => {
    await using gateway = await start({
      upstreams: {},
      auth: {
        keys: {
          type: 'api-key',
          keys: [
            { id: 'a', hash: hashApiKey('key-a') },
            { id: 'b', hash: hashApiKey('key-b') },
          ],
        },
      },
      routes: [
        {
          match: { path: '/mine' },
          auth: 'keys',
          limit: { limits: { limit: 1, per: '1h' } },
          respond: { status: 200 },
        },
        {
          match: {},
          limit: {
            limits: [
              { limit: 2, per: '1h' },
              { algorithm: 'fixedWindow', limit: 1, per: '1d' },
            ],
          },
          respond: { status: 200 },
        },
      ],
    });
    const as = async (key: string) => (await gateway.ask('/mine', { headers: { 'x-api-key': key } })).status;
    expect([await as('key-a'), await as('key-a'), await as('key-b')]).toEqual([200, 429, 200]);
    const first = await gateway.ask('/');
    expect(first.headers.ratelimit).toMatch(/r=1.*,.*r=0/);
    const second = await gateway.ask('/');
    expect([second.status, Number(second.headers['retry-after']) > 0]).toEqual([429, true]);
  });

  test('an access log has one line for each request, without its query', async () => {
    const lines: { [name: string]: unknown }[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    });
    await using gateway = await start(
      { accessLog: true, upstreams: {}, routes: [{ match: {}, respond: { status: 418 } }] },
      { logger: pino(stream) },
    );
    await gateway.ask('/tea?token=secret', { headers: { 'x-request-id': 'r1' } });
    await expect
      .poll(() => lines)
      .toMatchObject([
        { id: 'r1', method: 'GET', path: '/tea', status: 418, outcome: 'ok', by: 'respond', ip: '127.0.0.1' },
      ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });
});

describe('pages of another origin', () => {
  const config = (cors: object) =>
    ({
      upstreams: {},
      routes: [{ match: { path: '/a', method: 'POST' }, cors, respond: { status: 200 } }],
    }) as never;

  test('ask ahead and are told what they may do', async () => {
    await using gateway = await start(
      config({
        origins: ['https://app.example'],
        methods: ['POST'],
        headers: ['x-a'],
        credentials: true,
        maxAge: '1h',
      }),
    );
    const preflight = {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    };
    const { status, headers } = await gateway.ask('/a', preflight);
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'x-a',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '3600',
      vary: 'Origin',
    });
    const foreign = await gateway.ask('/a', {
      ...preflight,
      headers: { ...preflight.headers, origin: 'https://evil.example' },
    });
    expect(foreign.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('may read the answer if their origin is listed, or all are', async () => {
    await using listed = await start(config({ origins: ['https://app.example'], expose: ['ratelimit'] }));
    const { headers } = await listed.ask('/a', {
      method: 'POST',
      headers: { origin: 'https://app.example' },
    });
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-expose-headers': 'ratelimit',
    });
    await using open = await start(config({ origins: '*' }));
    expect(
      (await open.ask('/a', { method: 'POST', headers: { origin: 'https://any.example' } })).headers[
        'access-control-allow-origin'
      ],
    ).toBe('*');
  });
});

test('a WebSocket goes through by the same guards', async () => {
  await using server = await origin();
  const sockets = new WebSocketServer({ server: server.server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)));
  await using gateway = await start({
    upstreams: { api: { servers: [server.url] } },
    auth: { keys: { type: 'api-key', keys: [{ id: 'a', hash: hashApiKey('key-a') }] } },
    routes: [
      { match: { path: '/socket' }, upstream: 'api', auth: 'keys', websocket: true },
      { match: { path: '/plain' }, upstream: 'api' },
    ],
  });
  const url = `ws://127.0.0.1:${gateway.port}`;
  const open = (path: string, headers = {}) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(url + path, { headers });
      socket.on('open', () => socket.send('hello'));
      socket.on('message', (data) => {
        socket.close();
        resolve(String(data));
      });
      socket.on('error', (error) => resolve(error.message));
    });
  expect(await open('/socket', { 'x-api-key': 'key-a' })).toBe('echo hello');
  expect(await open('/socket')).toContain('401');
  expect(await open('/plain')).toContain('404');
  sockets.close();
});
