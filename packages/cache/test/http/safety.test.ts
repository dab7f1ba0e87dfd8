import { createServer } from 'node:http';
import { connect } from 'node:net';
import { fakeExchange, ManualClock } from '@weir/core/testing';
import { configure } from '@weir/http/node';
import { ask } from '@weir/http/testing';
import { describe, expect, test } from 'vitest';
import { cacheKey, hostReader, keyOfUrl } from '../../src/http/cache-key.ts';
import { cacheResponses } from '../../src/http.ts';
import { answer, listen, originPolicy } from './hosts.ts';
import { counting, gate, stage, until } from './stage.ts';

const fresh = { 'cache-control': 'max-age=60' };

describe('privacy', () => {
  test('a response that sets a cookie is nobody else’s', async () => {
    await using made = await stage(counting({ 'cache-control': 'public, max-age=60', 'set-cookie': 'id=1' }));
    expect((await made.get()).headers['set-cookie']).toEqual(['id=1']);
    expect((await made.get()).body).toBe('answer 2');
    expect(made.cache.snapshot().entries).toBe(0);
  });

  test('nor is it handed to those who waited for it', async () => {
    const released = gate();
    await using made = await stage(async (_request, _stage, count) => {
      await released.passed;
      return { headers: { ...fresh, 'set-cookie': `id=${count}` }, body: `${count}` };
    });
    const all = Array.from({ length: 5 }, () => made.get());
    await until(() => made.cache.snapshot().waiting === 4);
    released.open();
    const answers = await Promise.all(all);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(5);
    for (const { body, headers } of answers) expect(headers['set-cookie']).toEqual([`id=${body}`]);
  });

  test('nor are private, no-store, authorized and Vary: * responses handed to those who waited', async () => {
    for (const headers of [
      { 'cache-control': 'private, max-age=60' },
      { 'cache-control': 'no-store, max-age=60' },
      { ...fresh, vary: '*' },
    ]) {
      const released = gate();
      await using made = await stage(async (_request, _stage, count) => {
        await released.passed;
        return { headers, body: `${count}` };
      });
      const all = Array.from({ length: 4 }, () => made.get());
      await until(() => made.cache.snapshot().waiting === 3);
      released.open();
      expect(new Set((await Promise.all(all)).map(({ body }) => body)).size).toBe(4);
    }
  });

  test('one with a cookie does not change what is stored for others', async () => {
    await using made = await stage(counting(fresh));
    await made.get({ cookie: 'a=b' });
    expect((await made.get({ cookie: 'c=d' })).body).toBe('answer 1');
  });
});

describe('poisoning', () => {
  /** An application that builds links out of headers it should not trust. */
  const echoing = (name: string) =>
    stage(({ headers, method }) => ({ headers: fresh, body: `${method} ${headers[name] ?? 'own'}` }));

  test.each([
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-port',
    'x-forwarded-prefix',
    'x-forwarded-scheme',
    'x-forwarded-server',
    'x-host',
    'x-original-host',
    'x-original-url',
    'x-rewrite-url',
  ])('%s: what a forged one brings is for those who send the same', async (name) => {
    await using made = await echoing(name);
    expect((await made.get({ [name]: 'evil' })).body).toBe('GET evil');
    expect((await made.get()).body).toBe('GET own');
    expect((await made.get({ [name]: 'evil' })).body).toBe('GET evil');
    expect((await made.get()).body).toBe('GET own');
    expect(made.seen).toHaveLength(2);
  });

  test('Forwarded: by its host and proto, not by its addresses', async () => {
    await using made = await echoing('forwarded');
    await made.get({ forwarded: 'for=192.0.2.1;host=evil;proto=https' });
    await made.get({ forwarded: 'for=192.0.2.2; proto=https; Host=good' });
    await made.get({ forwarded: 'for=192.0.2.3' });
    expect((await made.get()).body).toBe('GET for=192.0.2.3');
    expect(made.seen).toHaveLength(3);
  });

  test('further headers, if the application says so', async () => {
    await using made = await stage(({ headers }) => ({ headers: fresh, body: String(headers['x-tenant']) }), {
      keyHeaders: ['X-Tenant'],
    });
    expect((await made.get({ 'x-tenant': 'a' })).body).toBe('a');
    expect((await made.get({ 'x-tenant': 'b' })).body).toBe('b');
    expect((await made.get()).body).toBe('undefined');
    expect(made.seen).toHaveLength(3);
  });

  test('those who wait do not get what a forged header brings', async () => {
    const released = gate();
    await using made = await stage(async ({ headers }) => {
      await released.passed;
      return { headers: fresh, body: String(headers['x-forwarded-host'] ?? 'own') };
    });
    const forged = made.get({ 'x-forwarded-host': 'evil' });
    await until(() => made.seen.length === 1);
    const other = made.get();
    await until(() => made.seen.length === 2);
    released.open();
    expect([(await forged).body, (await other).body]).toEqual(['evil', 'own']);
  });

  test.each(['x-http-method-override', 'x-http-method', 'x-method-override'])(
    '%s: such a request is not what it seems, is not stored, and counts as unsafe',
    async (name) => {
      await using made = await echoing(name);
      await made.get();
      expect((await made.get({ [name]: 'DELETE' })).body).toBe('GET DELETE');
      expect((await made.get()).body).toBe('GET own');
      expect(made.seen).toHaveLength(3);
    },
  );

  test('hosts are told apart, but for case and the usual port', async () => {
    await using made = await stage(({ headers }) => ({ headers: fresh, body: String(headers.host) }));
    expect((await made.get({ host: 'a.example' })).body).toBe('a.example');
    expect((await made.get({ host: 'A.EXAMPLE:80' })).body).toBe('a.example');
    expect((await made.get({ host: 'a.example:443' })).body).toBe('a.example:443');
    expect((await made.get({ host: 'b.example' })).body).toBe('b.example');
    expect(made.seen).toHaveLength(3);
  });

  test('a host that a trusted proxy names is the one that counts', async () => {
    const cache = cacheResponses();
    const weir = configure({ trustedProxies: 1 });
    await using server = await listen(
      createServer(
        weir(cache).wrap((req, res) =>
          answer(
            ({ headers }) => ({ headers: fresh, body: String(headers['x-forwarded-host']) }),
            req as never,
            res as never,
          ),
        ),
      ),
    );
    const from = (host: string) =>
      ask(server.port, { path: '/', headers: { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': host } });
    expect((await from('a.example')).body).toBe('a.example');
    expect((await from('b.example')).body).toBe('b.example');
    expect((await from('a.example')).headers['cache-status']).toContain('hit');
    expect(cache.purge({ url: 'http://b.example/' })).toBe(1);
  });

  test.each([
    ['no host', ''],
    ['a path in the host', 'a.example/x'],
    ['a query in the host', 'a.example?x'],
    ['a user in the host', 'user@a.example'],
    ['a space in the host', 'a b'],
    ['a list of hosts', 'a.example, b.example'],
    ['a line break in the host', 'a\nb'],
    ['junk in the port', 'a.example:8x'],
    ['an umlaut', '\u00e4.example'],
  ])('%s: not cached', async (_what, host) => {
    expect(cacheKey(fakeExchange({ host, url: '/' }), hostReader())).toBeUndefined();
  });

  test.each(['', '/path', 'ftp://a/', 'http:///', 'http://u@a/', 'http://a b/', 'http://a:x/'])(
    '"%s" is no address that could be purged',
    (url) => expect(keyOfUrl(url)).toBeUndefined(),
  );

  test('a target with an authority of its own, or none at all, is not cached', async () => {
    await using made = await stage(({ url }) => ({ headers: fresh, body: url }));
    const raw = (target: string): Promise<string> =>
      new Promise((resolve) => {
        let received = '';
        const socket = connect(made.port, '127.0.0.1', () =>
          socket.write(`GET ${target} HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n`),
        );
        socket.on('data', (chunk) => (received += chunk)).on('close', () => resolve(received));
      });
    expect(await raw('http://evil.example/')).toContain('fwd=bypass');
    expect((await made.get({ host: 'good.example' })).body).toBe('/');
    expect(await raw('http://evil.example/')).toContain('http://evil.example/');
    expect(made.seen).toHaveLength(3);
    expect(cacheKey(fakeExchange({ url: '*' }), hostReader())).toBeUndefined();
  });

  test('addresses are kept as they are: no decoding, no dots resolved, __proto__ like any other', async () => {
    await using made = await stage(({ url }) => ({ headers: fresh, body: url }));
    const paths = [
      '/a/../b',
      '/b',
      '/%62',
      '//b',
      '/__proto__',
      '/constructor',
      '/?__proto__=1',
      '/b%0a',
      '/b;x',
    ];
    for (let round = 0; round < 2; round += 1)
      for (const path of paths) expect((await made.get({}, { path })).body).toBe(path);
    expect(made.seen).toHaveLength(paths.length);
  });

  test('nothing that a client sends comes back in Cache-Status', async () => {
    await using made = await stage(counting(fresh));
    const evil = { 'x-forwarded-host': 'evil"; hit', 'cache-control': 'evil="\\', 'x-http-method': 'evil' };
    for (const headers of [evil, { ...evil, host: 'evil.example' }]) {
      const { headers: got } = await made.get(headers);
      expect(JSON.stringify(got)).not.toContain('evil');
    }
  });

  test('a validator with odd bytes goes back to the origin as it came, and with none that break lines', async () => {
    const etag = '"caf\u00e9"';
    await using made = await stage(counting({ 'cache-control': 'max-age=10', etag }));
    await made.get();
    made.clock.advance('20s');
    await made.get();
    expect(made.seen[1]?.headers['if-none-match']).toBe(etag);
  });
});

describe('bodies that are not whole', () => {
  test('a connection that breaks', async () => {
    await using made = await stage((_request, _stage, count) =>
      count === 1 ? { headers: fresh, body: 'half', cut: true } : { headers: fresh, body: 'whole' },
    );
    expect((await made.get()).complete).toBe(false);
    expect((await made.get()).body).toBe('whole');
  });

  test('a body that is longer or shorter than its content-length', async () => {
    const clock = new ManualClock();
    for (const length of ['3', '5']) {
      const cache = cacheResponses({ clock });
      // A policy, because node:http itself would not let it out.
      await using server = await listen(
        createServer(
          configure({})([cache, { name: 'x', enter: (x) => x.body?.tap({}) }]).wrap((_req, res) => {
            res.writeHead(200, { ...fresh, 'content-length': length });
            res.end('four');
          }),
        ),
      );
      await ask(server.port, { path: '/' }).catch(() => undefined);
      expect(cache.snapshot()).toMatchObject({ entries: 0, stored: 0 });
    }
  });

  test('a client that leaves in the middle', async () => {
    const released = gate();
    const cache = cacheResponses();
    const body = 'x'.repeat(100_000);
    await using server = await listen(
      createServer(
        configure({})(cache).wrap(async (_req, res) => {
          res.writeHead(200, fresh);
          res.write(body);
          await released.passed;
          res.end('end');
        }),
      ),
    );
    const socket = connect(server.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await until(() => cache.metrics().find(({ name }) => name.endsWith('incoming_bytes')) !== undefined);
    await until(() => sampleOf(cache, 'incoming_bytes') === 0);
    released.open();
    expect(cache.snapshot().entries).toBe(0);
  });

  test('a proxied source that aborts', async () => {
    const cache = cacheResponses();
    const source = {
      name: 'source',
      enter: () => ({
        status: 200,
        headers: ['cache-control', 'max-age=60'],
        kind: 'ok' as const,
        body: {
          start(sink: import('@weir/core').Sink) {
            sink.write(new TextEncoder().encode('half'));
            sink.abort(new Error('cut'));
          },
          resume() {},
          cancel() {},
        },
      }),
    };
    await using server = await listen(createServer(configure({})([cache, source]).wrap(() => {})));
    await ask(server.port, { path: '/' }).catch(() => undefined);
    expect(cache.snapshot().entries).toBe(0);
  });
});

describe('memory', () => {
  test('a body over the limit is passed on and not stored, its length told or not', async () => {
    for (const said of [
      { headers: { ...fresh, 'content-length': '2000' }, body: 'x'.repeat(2000) },
      { headers: fresh, body: ['x'.repeat(1000), 'x'.repeat(1000)] },
    ]) {
      await using made = await stage(said, { maxEntryBytes: 1999 });
      for (let i = 0; i < 2; i += 1) expect((await made.get()).body).toHaveLength(2000);
      expect(made.seen).toHaveLength(2);
      expect(sampleOf(made.cache, 'incoming_bytes')).toBe(0);
    }
    await using made = await stage(
      { headers: fresh, body: ['x'.repeat(1000), 'x'.repeat(1000)] },
      { maxEntryBytes: 2000 },
    );
    await made.get();
    await made.get();
    expect(made.seen).toHaveLength(1);
  });

  test('what is stored stays within the limit, the longest unused leaving first', async () => {
    await using made = await stage(
      { headers: fresh, body: 'x'.repeat(4_000) },
      { maxBytes: 64_000, maxEntryBytes: 8_000 },
    );
    await made.get({}, { path: '/kept' });
    for (let i = 0; i < 100; i += 1) {
      await made.get({}, { path: `/${i}` });
      await made.get({}, { path: '/kept' });
      expect(made.cache.snapshot().bytes).toBeLessThanOrEqual(64_000);
    }
    expect(made.seen.filter(({ url }) => url === '/kept')).toHaveLength(1);
    const { entries, evictions } = made.cache.snapshot() as Record<string, number>;
    expect(entries! + evictions!).toBe(101);
    expect(entries).toBeGreaterThan(8);
  });

  test('what takes more than there is, with its headers, is not stored, nor counted', async () => {
    await using made = await stage({ headers: fresh, body: 'x'.repeat(900) }, { maxBytes: 1_024 });
    await made.get();
    await made.get();
    expect(made.seen).toHaveLength(2);
    expect(made.cache.snapshot()).toMatchObject({ entries: 0, stored: 0, bytes: 0 });
  });

  test('variants of one URL share the limit, and tags leave with what has them', async () => {
    const script = ({ headers }: { headers: Record<string, unknown> }) => ({
      headers: { ...fresh, vary: 'x', 'cache-tag': `t${headers.x}` },
      body: 'x'.repeat(4_000),
    });
    await using made = await stage(script, { maxBytes: 20_000, maxEntryBytes: 8_000 });
    for (let i = 0; i < 20; i += 1) await made.get({ x: `${i}` });
    expect(made.cache.snapshot().bytes).toBeLessThanOrEqual(20_000);
    expect(made.cache.purge({ tag: 't0' })).toBe(0);
    expect(made.cache.purge({ tag: 't19' })).toBe(1);
  });

  test('responses on their way share a limit of their own', async () => {
    const released = gate();
    const cache = cacheResponses({ maxBytes: 10_000, maxEntryBytes: 8_000 });
    await using server = await listen(
      createServer(
        configure({})(cache).wrap(async (_req, res) => {
          res.writeHead(200, { ...fresh, 'content-length': '8000' });
          res.write('x'.repeat(4_000));
          await released.passed;
          res.end('x'.repeat(4_000));
        }),
      ),
    );
    const all = [ask(server.port, { path: '/1' }), ask(server.port, { path: '/2' })];
    await until(() => (cache.snapshot().miss as number) === 2);
    released.open();
    for (const { body } of await Promise.all(all)) expect(body).toHaveLength(8_000);
    expect(cache.snapshot().entries).toBe(1);
    expect(sampleOf(cache, 'incoming_bytes')).toBe(0);
  });
});

test('what is served is a copy that nobody can change', async () => {
  const body = new TextEncoder().encode('good');
  const cache = cacheResponses();
  await using server = await listen(
    createServer(
      configure({})(cache).wrap((_req, res) => {
        res.writeHead(200, fresh);
        res.write(body);
        res.end();
        body.fill(33);
      }),
    ),
  );
  await ask(server.port, { path: '/' });
  expect((await ask(server.port, { path: '/' })).body).toBe('good');
});

test.each([0, '1s'] as const)(
  'tags that cannot be read keep a response out, and nothing is left behind (maxWait: %s)',
  async (maxWait) => {
    let fails = true;
    const cache = cacheResponses({
      maxWait,
      tags: () => {
        if (fails) throw new Error('no tags');
        return [];
      },
    });
    const faults: unknown[] = [];
    await using server = await listen(
      createServer(
        configure({ onFault: (error) => faults.push(error) })(cache).wrap((_req, res) => {
          res.writeHead(200, fresh).end('fine');
        }),
      ),
    );
    for (let i = 1; i <= 2; i += 1) {
      expect((await ask(server.port, { path: '/' })).body).toBe('fine');
      expect(faults).toHaveLength(i);
    }
    expect(cache.snapshot()).toMatchObject({ entries: 0, waiting: 0 });
    expect(sampleOf(cache, 'incoming_bytes')).toBe(0);
    fails = false;
    await ask(server.port, { path: '/' });
    expect((await ask(server.port, { path: '/' })).headers['cache-status']).toContain('hit');
  },
);

test('a policy behind it that refuses is not stored', async () => {
  const cache = cacheResponses();
  let refuse = true;
  await using server = await listen(
    createServer(
      configure({})([
        cache,
        { name: 'limit', enter: () => (refuse ? { status: 429, headers: ['retry-after', '1'] } : undefined) },
        originPolicy(() => ({ headers: fresh, body: 'fine' })),
      ]).wrap(() => {}),
    ),
  );
  expect((await ask(server.port, { path: '/' })).status).toBe(429);
  refuse = false;
  expect((await ask(server.port, { path: '/' })).body).toBe('fine');
});

function sampleOf(cache: import('../../src/http.ts').ResponseCache, name: string): number | undefined {
  const sample = cache.metrics().find((each) => each.name === `weir_cache_http_${name}`);
  return sample !== undefined && 'value' in sample ? sample.value : undefined;
}
