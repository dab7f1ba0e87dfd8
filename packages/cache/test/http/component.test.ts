import { fakeExchange } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import { cacheStatus } from '../../src/http/cache-status.ts';
import { cacheResponses } from '../../src/http.ts';
import { counting, stage } from './stage.ts';

describe('options', () => {
  test.each<[name: string, value: unknown]>([
    ['unknown', 1],
    ['name', ''],
    ['maxBytes', 1023],
    ['maxBytes', 1.5],
    ['maxEntryBytes', -1],
    ['maxEntryBytes', 68_000_000],
    ['maxVariants', 0],
    ['maxVariants', 1001],
    ['staleWhileRevalidate', -1],
    ['staleIfError', 'soon'],
    ['heuristic', true],
    ['heuristic', { fraction: 0 }],
    ['heuristic', { fraction: 1.1 }],
    ['heuristic', { max: -1 }],
    ['heuristic', { unknown: 1 }],
    ['targets', 'cdn-cache-control'],
    ['targets', ['a b']],
    ['targets', [7]],
    ['clientDirectives', 'yes'],
    ['keyHeaders', ['']],
    ['tags', 'x'],
    ['skip', true],
    ['maxWait', -1],
    ['maxWait', '2h'],
    ['background', {}],
    ['background', { origin: {} }],
    ['background', { origin: { enter() {} }, timeout: 0 }],
    ['background', { origin: { enter() {} }, other: 0 }],
    ['bus', {}],
    ['remoteTimeout', 0],
    ['suspectTtl', 0],
    ['cacheStatus', ''],
    ['cacheStatus', true],
    ['cacheStatus', 'a\r\nb'],
    ['cacheStatus', '\u00e4'],
  ])('%s: %j is refused', (name, value) => {
    expect(() => cacheResponses({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION' }),
    );
  });

  test('no options are needed', () => expect(cacheResponses().name).toMatch(/^cache-\d+$/));
});

test('a name that is no token is written as a string', () => {
  expect(cacheStatus('edge-1').hit(5)).toBe('edge-1; hit; ttl=5');
  expect(cacheStatus('an "edge" \\').hit(5)).toBe('"an \\"edge\\" \\\\"; hit; ttl=5');
  expect(cacheStatus('1').forwarded('bypass')).toBe('"1"; fwd=bypass');
});

test('Cache-Status joins those of caches behind, and can be left out (RFC 9211)', async () => {
  const headers = { 'cache-control': 'max-age=60', 'cache-status': 'inner; hit' };
  await using made = await stage(counting(headers), { cacheStatus: 'edge' });
  expect((await made.get()).headers['cache-status']).toBe(
    'inner; hit, edge; fwd=uri-miss; fwd-status=200; stored',
  );
  expect((await made.get()).headers['cache-status']).toBe('inner; hit, edge; hit; ttl=60');
  await using quiet = await stage(counting({ 'cache-control': 'max-age=10' }), { cacheStatus: false });
  for (const request of [{}, {}, { 'if-none-match': '*' }, { authorization: 'a' }])
    expect((await quiet.get(request as Record<string, string>)).headers['cache-status']).toBeUndefined();
  quiet.clock.advance('20s');
  for (const method of ['HEAD', 'GET', 'OPTIONS', 'POST'])
    expect((await quiet.get({}, { method })).headers['cache-status']).toBeUndefined();
});

test('requests that are to be left alone are', async () => {
  await using made = await stage(counting({ 'cache-control': 'max-age=60' }), {
    skip: ({ path }) => path === '/live',
  });
  for (let i = 0; i < 2; i += 1) {
    const answer = await made.get({}, { path: '/live' });
    expect(answer.headers['cache-status']).toBe('weir; fwd=bypass; detail=skip');
  }
  expect(made.seen).toHaveLength(2);
});

test('it is a component: what it did can be read, in samples and in a snapshot', async () => {
  await using made = await stage(
    ({ method }) => ({ headers: method === 'GET' ? { 'cache-control': 'max-age=60' } : {} }),
    {
      name: 'pages',
    },
  );
  await made.get();
  await made.get();
  await made.get();
  await made.get({}, { method: 'POST' });
  expect(made.cache).toMatchObject({ kind: 'cache', name: 'pages' });
  expect(JSON.parse(JSON.stringify(made.cache.snapshot()))).toMatchObject({
    entries: 0,
    hit: 2,
    miss: 1,
    stored: 1,
    invalidated: 1,
    bypass: 1,
    hitRate: 2 / 3,
  });
  expect(cacheResponses().snapshot().hitRate).toBeNull();
  const samples = made.cache.metrics();
  expect(samples.every(({ name }) => /^weir_cache_http_[a-z_]+$/.test(name))).toBe(true);
  expect(samples).toContainEqual({
    name: 'weir_cache_http_requests_total',
    help: expect.any(String),
    type: 'counter',
    labels: { cache: 'pages', result: 'hit' },
    value: 2,
  });
  expect(new Set(samples.map(({ name, labels }) => name + JSON.stringify(labels))).size).toBe(samples.length);
});

test('a host that gives no bodies is served what there is, and nothing is stored', () => {
  const cache = cacheResponses();
  const x = fakeExchange();
  expect(cache.enter(x)).toBeUndefined();
  expect(cache.enter(fakeExchange({ method: 'POST' }))).toBeUndefined();
  expect(cache.enter(fakeExchange({ headers: { 'cache-control': 'only-if-cached' } }))).toMatchObject({
    status: 504,
  });
  expect(cache.snapshot()).toMatchObject({ entries: 0, waiting: 0 });
});
