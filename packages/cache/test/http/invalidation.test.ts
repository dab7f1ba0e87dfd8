import { describe, expect, test } from 'vitest';
import { purge } from '../../src/http.ts';
import { gate, type Stage, stage, until } from './stage.ts';

const fresh = { 'cache-control': 'max-age=60' };
const paths = ['/', '/?q', '/a', '/a/b', '/other'];

/** A stage with some stored pages, and an origin that answers unsafe methods as told. */
async function pages(said: { status?: number; headers?: Record<string, string> } = {}): Promise<Stage> {
  const made = await stage(({ method, url }, _stage, count) =>
    method === 'GET'
      ? { headers: { ...fresh, 'cache-tag': `all, page:${url}` }, body: `${url} ${count}` }
      : said,
  );
  for (const path of paths) await made.get({}, { path });
  return made;
}

/** Which of the pages are still stored. */
async function kept(made: Stage): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const answer = await made.get({ 'cache-control': 'only-if-cached' }, { path });
    if (answer.status === 200) found.push(path);
  }
  return found;
}

describe('unsafe methods (RFC 9111, 4.4)', () => {
  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'LOCK'])(
    '%s invalidates its URL',
    async (method) => {
      await using made = await pages();
      const answer = await made.get({ 'content-length': '3' }, { method, path: '/a', body: 'abc' });
      expect(answer.headers['cache-status']).toBe('weir; fwd=method; fwd-status=200');
      expect(await kept(made)).toEqual(['/', '/?q', '/a/b', '/other']);
      expect(made.cache.snapshot().invalidated).toBe(1);
    },
  );

  test.each([302, 303, 204])('a %i counts as a success', async (status) => {
    await using made = await pages({ status });
    await made.get({}, { method: 'POST', path: '/a' });
    expect(await kept(made)).not.toContain('/a');
  });

  test.each([400, 404, 409, 500, 503])('a %i does not', async (status) => {
    await using made = await pages({ status });
    await made.get({}, { method: 'POST', path: '/a' });
    expect(await kept(made)).toEqual(paths);
  });

  test.each(['OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH', 'REPORT'])('%s changes nothing', async (method) => {
    await using made = await pages();
    await made.get({}, { method, path: '/a' });
    expect(await kept(made)).toEqual(paths);
    expect(made.seen.at(-1)?.method).toBe(method);
  });

  test.each(['location', 'content-location'])('%s is invalidated too', async (name) => {
    await using made = await pages({ status: 201, headers: { [name]: 'b' } });
    await made.get({}, { method: 'POST', path: '/a/' });
    expect(await kept(made)).toEqual(['/', '/?q', '/a', '/other']);
  });

  test('but not if it is another origin, though stored here', async () => {
    const location = 'http://other.example/page';
    await using made = await stage(({ method }) =>
      method === 'GET' ? { headers: fresh } : { headers: { location, 'content-location': location } },
    );
    await made.get({ host: 'other.example' }, { path: '/page' });
    await made.get({ host: 'evil.example' }, { method: 'POST' });
    expect(made.cache.snapshot().entries).toBe(1);
    await made.get({ host: 'other.example' }, { method: 'POST' });
    expect(made.cache.snapshot().entries).toBe(0);
  });

  test.each(['//[', 'mailto:a@b', 'https://127.0.0.1/other'])('nor if it is %s', async (location) => {
    await using made = await pages({ headers: { location, 'content-location': location } });
    await made.get({}, { method: 'POST', path: '/a' });
    expect(await kept(made)).toEqual(['/', '/?q', '/a/b', '/other']);
  });

  test('all variants go', async () => {
    await using made = await stage(({ method }) =>
      method === 'GET' ? { headers: { ...fresh, vary: 'x' } } : {},
    );
    for (const x of ['1', '2', '3']) await made.get({ x });
    await made.get({}, { method: 'DELETE' });
    expect(made.cache.snapshot().entries).toBe(0);
  });

  test('what is on its way when the answer comes is not stored', async () => {
    const released = gate();
    await using made = await stage(async ({ method }, _stage, count) => {
      if (method === 'GET' && count === 1) await released.passed;
      return { headers: method === 'GET' ? fresh : {}, body: `${count}` };
    });
    const early = made.get();
    await until(() => made.seen.length === 1);
    await made.get({}, { method: 'PUT' });
    released.open();
    expect((await early).body).toBe('1');
    expect((await made.get()).body).toBe('3');
  });
});

describe('POST that answers for GET (RFC 9110, 9.3.3)', () => {
  const post = { method: 'POST', body: 'x' };
  test('is stored if it says that it is the same and for how long', async () => {
    await using made = await stage((_request, { port }) => ({
      headers: { ...fresh, 'content-location': `http://127.0.0.1:${port}/` },
      body: 'posted',
    }));
    await made.get({}, post);
    expect((await made.get()).body).toBe('posted');
    expect(made.seen).toHaveLength(1);
  });

  test.each([
    [{ 'cache-control': 'max-age=60' }, 200],
    [{ 'cache-control': 'max-age=60', 'content-location': '/else' }, 200],
    [{ 'content-location': '/', 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' }, 200],
    [{ 'cache-control': 'max-age=60', 'content-location': '/' }, 201],
    [{ 'cache-control': 'private, max-age=60', 'content-location': '/' }, 200],
  ])('%j with %i is not', async (headers, status) => {
    await using made = await stage(() => ({ status, headers: headers as Record<string, string> }));
    await made.get({}, post);
    await made.get();
    expect(made.seen).toHaveLength(2);
  });
});

describe('cache groups (RFC 9875)', () => {
  const grouped = (said: Record<string, string>) =>
    stage(({ method, url }) => {
      if (method !== 'GET') return { headers: said };
      const group = url.startsWith('/a') ? '"x", "y"' : '"z"';
      return { headers: { ...fresh, 'cache-groups': group } };
    });
  const fill = async (made: Stage): Promise<void> => {
    for (const path of paths) await made.get({}, { path });
  };

  test('a group that an unsafe answer names is invalidated', async () => {
    await using made = await grouped({ 'cache-group-invalidation': '"y", "unknown"' });
    await fill(made);
    await made.get({}, { method: 'POST', path: '/form' });
    expect(await kept(made)).toEqual(['/', '/?q', '/other']);
  });

  test('what is invalidated takes its groups with it', async () => {
    await using made = await grouped({});
    await fill(made);
    await made.get({}, { method: 'POST', path: '/a' });
    expect(await kept(made)).toEqual(['/', '/?q', '/other']);
  });

  test('it means nothing on a safe method, on an error, or if it is no list of strings', async () => {
    await using made = await stage(({ method }) => ({
      status: method === 'POST' ? 500 : 200,
      headers: {
        ...fresh,
        'cache-groups': '"x"',
        'cache-group-invalidation': method === 'PUT' ? 'x, "x' : '"x"',
      },
    }));
    await fill(made);
    await made.get({}, { method: 'OPTIONS', path: '/form' });
    await made.get({}, { method: 'POST', path: '/form' });
    await made.get({}, { method: 'PUT', path: '/form' });
    expect(await kept(made)).toEqual(paths);
  });

  test('a group is one of its origin', async () => {
    await using made = await grouped({ 'cache-group-invalidation': '"x", "y", "z"' });
    await made.get({ host: 'one.example' });
    await made.get({ host: 'two.example' });
    await made.get({ host: 'one.example' }, { method: 'POST', path: '/form' });
    expect(made.cache.snapshot().entries).toBe(1);
    expect((await made.get({ host: 'two.example', 'cache-control': 'only-if-cached' })).status).toBe(200);
    expect(purge(made.cache, { group: 'z', origin: 'http://one.example' })).toBe(0);
    expect(purge(made.cache, { group: 'z', origin: 'http://two.example/' })).toBe(1);
  });
});

describe('purge', () => {
  const url = (made: Stage, path: string): string => `http://127.0.0.1:${made.port}${path}`;

  test('by URL, with its query and nothing else', async () => {
    await using made = await pages();
    expect(purge(made.cache, { url: url(made, '/#fragment') })).toBe(1);
    expect(await kept(made)).toEqual(['/?q', '/a', '/a/b', '/other']);
    expect(purge(made.cache, { url: url(made, '/?q').replace('http', 'HTTP') })).toBe(1);
    expect(purge(made.cache, { url: url(made, '/?q') })).toBe(0);
    expect(made.cache.snapshot().purged).toBe(2);
  });

  test('by prefix', async () => {
    await using made = await pages();
    expect(purge(made.cache, { prefix: url(made, '/a') })).toBe(2);
    expect(await kept(made)).toEqual(['/', '/?q', '/other']);
  });

  test('by tag, which is exactly one', async () => {
    await using made = await pages();
    expect(purge(made.cache, { tag: 'page:/a' })).toBe(1);
    expect(purge(made.cache, { tag: 'page' })).toBe(0);
    expect(await kept(made)).toEqual(['/', '/?q', '/a/b', '/other']);
    expect(purge(made.cache, { tag: 'all' })).toBe(4);
    expect(await kept(made)).toEqual([]);
  });

  test('tags may come from anywhere', async () => {
    await using made = await stage(() => ({ headers: { ...fresh, 'x-id': '7' } }), {
      tags: ({ headers }) => [`id-${headers[headers.indexOf('x-id') + 1]}`],
    });
    await made.get();
    expect(purge(made.cache, { tag: 'id-7' })).toBe(1);
  });

  test('all variants of a URL, or of several caches', async () => {
    await using one = await stage(() => ({ headers: { ...fresh, vary: 'x', 'cache-tag': 't' } }));
    await using other = await stage(() => ({ headers: { ...fresh, 'cache-tag': 't' } }));
    for (const x of ['1', '2', '3']) await one.get({ x, 'x-forwarded-host': x });
    await other.get();
    expect(purge(one.cache, { url: url(one, '/') })).toBe(3);
    await one.get();
    expect(purge([one.cache, other.cache], { tag: 't' })).toBe(2);
  });

  test('softly: it is stale, and only revalidated', async () => {
    await using made = await stage(({ headers }) =>
      headers['if-none-match'] === undefined
        ? { headers: { ...fresh, etag: '"a"', 'cache-tag': 't' }, body: 'whole' }
        : { status: 304, headers: { etag: '"a"' } },
    );
    await made.get();
    made.clock.advance('5s');
    expect(purge(made.cache, { tag: 't', soft: true })).toBe(1);
    const answer = await made.get();
    expect(answer).toMatchObject({ status: 200, body: 'whole' });
    expect(made.seen).toHaveLength(2);
    expect(made.seen[1]?.headers['if-none-match']).toBe('"a"');
    await made.get();
    expect(made.seen).toHaveLength(2);
  });

  test.each([
    ['url', false],
    ['prefix', false],
    ['tag', false],
    ['tag', true],
    ['all', false],
  ] as const)('by %s (soft: %s) also holds for what is on its way', async (by, soft) => {
    const released = gate();
    await using made = await stage(async (_request, _stage, count) => {
      if (count === 1) await released.passed;
      return { headers: { ...fresh, 'cache-tag': 't' }, body: `${count}` };
    });
    const early = made.get();
    await until(() => made.seen.length === 1);
    if (by === 'all') made.cache.clear();
    else {
      const names = { url: url(made, '/'), prefix: url(made, ''), tag: 't' };
      purge(made.cache, { [by]: names[by], soft } as never);
    }
    purge(made.cache, { tag: 'another' });
    purge(made.cache, { url: url(made, '/else') });
    released.open();
    await early;
    expect((await made.get()).body).toBe('2');
    expect((await made.get()).body).toBe('2');
  });

  test('softly, while it is being revalidated: what the origin says of it then is old news', async () => {
    const released = gate();
    await using made = await stage(async ({ headers }, _stage, count) => {
      if (count === 2) await released.passed;
      const found = { ...fresh, etag: '"a"', 'cache-tag': 't' };
      return headers['if-none-match'] === undefined ? { headers: found } : { status: 304, headers: found };
    });
    await made.get();
    made.clock.advance('2m');
    const early = made.get();
    await until(() => made.seen.length === 2);
    purge(made.cache, { tag: 't', soft: true });
    released.open();
    await early;
    await made.get();
    expect(made.seen).toHaveLength(3);
  });

  test('a purge of something else does not hold for it', async () => {
    const released = gate();
    await using made = await stage(async () => {
      await released.passed;
      return { headers: { ...fresh, 'cache-tag': 't' } };
    });
    const early = made.get();
    await until(() => made.seen.length === 1);
    for (let i = 0; i < 10; i += 1) purge(made.cache, { tag: `other-${i}` });
    released.open();
    await early;
    await made.get();
    expect(made.seen).toHaveLength(1);
  });

  test('more purges than are remembered are taken for one of everything', async () => {
    const released = gate();
    await using made = await stage(async () => {
      await released.passed;
      return { headers: fresh };
    });
    const early = made.get();
    await until(() => made.seen.length === 1);
    for (let i = 0; i < 5_000; i += 1) purge(made.cache, { tag: `other-${i}` });
    released.open();
    await early;
    await made.get();
    expect(made.seen).toHaveLength(2);
  });

  test('as an action of an operator, who is checked', async () => {
    await using made = await pages();
    await made.cache.actions?.purge?.({ tag: 'all' });
    expect(await kept(made)).toEqual([]);
    await made.get();
    await made.cache.actions?.clear?.();
    expect(made.cache.snapshot().entries).toBe(0);
    for (const bad of [
      undefined,
      null,
      'all',
      {},
      { tag: '' },
      { tag: 7 },
      { tag: 'a', url: 'http://a/' },
      { url: '/path' },
      { url: 'ftp://a/' },
      { url: 'http:///path' },
      { prefix: 'a' },
      { group: 'a' },
      { tag: 'a', origin: 'http://a' },
      { group: 'a', origin: 'a' },
      { tag: 'a', soft: 'yes' },
      { everything: true },
    ])
      expect(() => made.cache.actions?.purge?.(bad), JSON.stringify(bad)).toThrow(/ERR_WEIR|must be/);
  });
});
