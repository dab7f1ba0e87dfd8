import { describe, expect, test } from 'vitest';
import { HeaderFields } from '../src/index.ts';
import { echoHead, get, type Handler, proxied, proxyTo, raw, rawUpstream, seenBy } from './support.ts';

describe('on the way to the upstream', () => {
  test('hop-by-hop fields end here, also those that Connection names', async () => {
    const { port } = await proxied([echoHead]);
    const { headers } = await seenBy(
      port,
      get(
        '/p',
        'Connection: X-Internal, keep-alive , X-Other',
        'X-Internal: 1',
        'x-other: 2',
        'TE: trailers',
        'Trailer: x-sum',
        'Proxy-Authorization: secret',
        'Proxy-Connection: keep-alive',
        'Keep-Alive: timeout=5',
        'Upgrade: h2c',
        'X-Custom: kept',
      ),
    );
    expect(headers).toMatchObject({ 'x-custom': 'kept', connection: 'keep-alive' });
    for (const name of [
      'x-internal',
      'x-other',
      'te',
      'trailer',
      'proxy-authorization',
      'proxy-connection',
      'keep-alive',
      'upgrade',
    ]) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  test('Connection cannot take away what the request means, nor what is written here', async () => {
    const { port } = await proxied([echoHead], { forwarded: 'both' });
    const { headers } = await seenBy(
      port,
      get(
        '/',
        'Connection: authorization, cookie, host, content-type, x-forwarded-for, forwarded, via, cache-control',
        'Authorization: Bearer t',
        'Cookie: a=1',
        'Content-Type: text/plain',
        'Cache-Control: no-cache',
      ),
    );
    expect(headers).toMatchObject({
      authorization: 'Bearer t',
      cookie: 'a=1',
      'content-type': 'text/plain',
      'cache-control': 'no-cache',
      'x-forwarded-for': '127.0.0.1',
      via: '1.1 weir',
    });
    expect(headers).toHaveProperty('forwarded');
    expect(headers.host).toMatch(/^127\.0\.0\.1:/);
  });

  test('what a client claims about itself does not get through, in no spelling', async () => {
    const { port } = await proxied([echoHead], { forwarded: 'both' });
    const { raw: pairs } = await seenBy(
      port,
      get(
        '/',
        'X-Forwarded-For: 6.6.6.6',
        'X_Forwarded_For: 6.6.6.6',
        'x-forwarded_for: 6.6.6.6',
        'Forwarded: for=6.6.6.6',
        'X-Real-IP: 6.6.6.6',
        'X_Real_IP: 6.6.6.6',
        'X-Forwarded-Host: evil.test',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Port: 666',
        'X-Forwarded-Prefix: /evil',
      ),
    );
    expect(pairs.join('\n')).not.toMatch(/6\.6\.6\.6|evil|666/);
    expect(pairs).toContain('for=127.0.0.1;proto=http;host=shop.example');
    const { headers } = await seenBy(port, get('/'));
    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-proto': 'http',
    });
  });

  test('behind a trusted proxy the client comes first, then that proxy, and what it says of ports is believed', async () => {
    const { port } = await proxied(
      [echoHead],
      { forwarded: 'both' },
      { http: { trustedProxies: ['127.0.0.0/8'] } },
    );
    const { headers } = await seenBy(
      port,
      get(
        '/',
        'X-Forwarded-For: 6.6.6.6, 2001:db8::7',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: shop.example:8443',
        'X-Forwarded-Port: 8443',
      ),
    );
    expect(headers).toMatchObject({
      'x-forwarded-for': '2001:db8::7, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example:8443',
      'x-forwarded-port': '8443',
      forwarded: 'for="[2001:db8::7]";proto=https;host="shop.example:8443", for=127.0.0.1',
    });
  });

  test('a host that tries to break out of its quotes stays in them', async () => {
    const { port } = await proxied([echoHead], { forwarded: 'forwarded' });
    const { headers } = await seenBy(
      port,
      'GET / HTTP/1.1\r\nHost: a";for=6.6.6.6;x="\\\r\nConnection: close\r\n\r\n',
    );
    expect(headers.forwarded).toBe('for=127.0.0.1;proto=http;host="a\\";for=6.6.6.6;x=\\"\\\\"');
    expect(headers).not.toHaveProperty('x-forwarded-for');
  });

  test.each([
    ['x-forwarded', ['x-forwarded-for'], ['forwarded']],
    ['forwarded', ['forwarded'], ['x-forwarded-for']],
    [false, [], ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']],
  ] as const)('forwarded: %s', async (forwarded, there, notThere) => {
    const { port } = await proxied([echoHead], { forwarded });
    const { headers } = await seenBy(port, get('/', 'Forwarded: for=6.6.6.6', 'X-Forwarded-For: 6.6.6.6'));
    for (const name of there) expect(headers).toHaveProperty(name);
    for (const name of notThere) expect(headers).not.toHaveProperty(name);
  });

  test('Via grows by this proxy, or is left as it was', async () => {
    const via = 'Via: 1.0 fred, 1.1 edge';
    const named = await proxied([echoHead], { via: 'gate' });
    expect((await seenBy(named.port, get('/', via))).headers.via).toBe('1.0 fred, 1.1 edge, 1.1 gate');
    const silent = await proxied([echoHead], { via: false });
    expect((await seenBy(silent.port, get('/', via))).headers.via).toBe('1.0 fred, 1.1 edge');
    expect((await seenBy(silent.port, get('/'))).headers).not.toHaveProperty('via');
  });

  test('the upstream sees its own host, or the one that the client asked for', async () => {
    const own = await proxied([echoHead]);
    const { url } = own.pool.upstreams[0]!;
    expect((await seenBy(own.port, get('/'))).headers.host).toBe(new URL(url).host);
    const clients = await proxied([echoHead], { host: 'client' });
    expect((await seenBy(clients.port, get('/'))).headers.host).toBe('shop.example');
  });

  test('an upstream that has a name beside its address is called by it', async () => {
    const upstream = await rawUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    const { port, pool } = await proxyTo([]);
    pool.add({ url: upstream.url, hostname: 'upstream.example' });
    await raw(port, get('/'));
    expect(upstream.requests[0]).toContain(`host: upstream.example:${new URL(upstream.url).port}\r\n`);
  });

  test('several Cookie fields become one', async () => {
    const { port } = await proxied([echoHead]);
    const { raw: pairs } = await seenBy(port, get('/', 'Cookie: a=1', 'Cookie: b=2'));
    expect(pairs.filter((text) => text.toLowerCase() === 'cookie')).toHaveLength(1);
    expect(pairs).toContain('a=1; b=2');
  });

  test('rules, then the hook, change what goes out', async () => {
    const { port } = await proxied([echoHead], {
      rewrite: (target) => `/v1${target}`,
      headers: { request: { 'X-Key': 'secret', 'User-Agent': false } },
      onRequest(request, x) {
        expect(request.headers.get('x-key')).toBe('secret');
        expect(x.header('x-tenant')).toBe('7');
        request.target = request.target.replace('tenant', request.headers.get('X-Tenant') as string);
        request.headers.delete('x-tenant');
        request.headers.append('x-list', 'a');
        request.headers.append('x-list', 'b');
      },
    });
    const seen = await seenBy(port, get('/tenant?q', 'User-Agent: me', 'X-Tenant: 7', 'X-Key: mine'));
    expect(seen.url).toBe('/v1/7?q');
    expect(seen.headers).toMatchObject({ 'x-key': 'secret', 'x-list': 'a, b' });
    expect(seen.headers).not.toHaveProperty('user-agent');
    expect(seen.headers).not.toHaveProperty('x-tenant');
  });
});

describe('on the way to the client', () => {
  const answering =
    (headers: Record<string, string | string[]>): Handler =>
    (_req, res) =>
      void res.writeHead(200, headers).end('ok');

  test('hop-by-hop fields end here, also those that Connection names', async () => {
    const { port } = await proxied([
      answering({
        connection: 'x-internal, set-cookie2',
        'x-internal': '1',
        'set-cookie2': 'x',
        'proxy-authenticate': 'Basic',
        'x-kept': '1',
      }),
    ]);
    const text = await raw(port, get('/'));
    expect(text).toContain('x-kept: 1');
    expect(text).not.toMatch(/x-internal|proxy-authenticate|set-cookie2/i);
  });

  test('every Set-Cookie survives, and bytes above ASCII do', async () => {
    const upstream = await rawUpstream(
      'HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-name: Gr\u00fc\u00dfe\r\ncontent-length: 2\r\n\r\nok',
    );
    const { port } = await proxyTo([upstream.url]);
    const text = await raw(port, get('/'));
    expect(text.match(/set-cookie: .*/gi)).toEqual(['set-cookie: a=1', 'set-cookie: b=2']);
    expect(text).toContain('x-name: Gr\u00fc\u00dfe');
  });

  test('a header named like a property of objects is passed on like any other', async () => {
    const upstream = await rawUpstream(
      'HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\ncontent-length: 2\r\n\r\nok',
    );
    const { port } = await proxyTo([upstream.url]);
    const text = await raw(port, get('/'));
    expect(text).toContain('__proto__: a');
    expect(text).toContain('constructor: b');
  });

  test('rules, then the hook, change the head', async () => {
    const { port } = await proxied([answering({ server: 'secret/1.0', 'x-powered-by': 'x', 'x-a': '1' })], {
      headers: { response: { server: false, 'x-frame-options': 'DENY' } },
      onResponse({ status, headers, upstream }, x) {
        expect([status, upstream.url.startsWith('http://127.0.0.1:'), x.path]).toEqual([200, true, '/']);
        expect(headers.get('x-frame-options')).toBe('DENY');
        headers.delete('X-Powered-By');
        headers.set('x-a', '2');
      },
    });
    const text = await raw(port, get('/'));
    expect(text).toContain('x-frame-options: DENY');
    expect(text).toContain('x-a: 2');
    expect(text).not.toMatch(/server:|x-powered-by|x-a: 1/);
  });

  test('a hook that throws is a fault of this service: 500, and the upstream is let go', async () => {
    for (const hook of ['onRequest', 'onResponse'] as const) {
      const { port, pool, policy } = await proxied([answering({})], {
        [hook]() {
          throw new Error('bug');
        },
      });
      expect(await raw(port, get('/'))).toMatch(/^HTTP\/1\.1 500 /);
      expect(pool.upstreams[0]?.inFlight).toBe(0);
      expect(policy.snapshot()).toMatchObject({ inFlight: 0 });
    }
  });
});

describe('HeaderFields', () => {
  test('finds, sets, appends and deletes without regard to case', () => {
    const pairs = ['a', '1', 'b', '2', 'a', '3'];
    const fields = new HeaderFields(pairs);
    expect([fields.get('A'), fields.get('b'), fields.get('c')]).toEqual(['1', '2', undefined]);
    fields.set('A', '4');
    fields.append('B', '5');
    expect([...fields]).toEqual([
      ['b', '2'],
      ['a', '4'],
      ['b', '5'],
    ]);
    fields.delete('B');
    expect(pairs).toEqual(['a', '4']);
  });

  test.each([
    ['CR LF in a value', 'x', 'a\r\nevil: 1'],
    ['NUL in a value', 'x', 'a\0'],
    ['a character that latin1 lacks', 'x', '\u0100'],
    ['a space in a name', 'x y', '1'],
    ['CR LF in a name', 'x\r\nevil', '1'],
    ['an empty name', '', '1'],
    ['a value that is no string', 'x', 1],
  ])('refuses %s', (_what, name, value) => {
    const fields = new HeaderFields([]);
    const refusal = expect.objectContaining({ code: 'ERR_WEIR_INVALID_HEADER' });
    expect(() => fields.set(name, value as string)).toThrow(refusal);
    expect(() => fields.append(name, value as string)).toThrow(refusal);
    expect([...fields]).toEqual([]);
  });
});
