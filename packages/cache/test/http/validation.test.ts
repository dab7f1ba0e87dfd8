import { describe, expect, test } from 'vitest';
import { confirms, notModified } from '../../src/http/validators.ts';
import type { Said, Seen } from './hosts.ts';
import { counting, stage } from './stage.ts';

const date = Date.UTC(2026, 0, 15, 12);
const modified = 'Wed, 14 Jan 2026 12:00:00 GMT';

describe('a client that has it already (RFC 9111, 4.3.2)', () => {
  const ask = (headers: Record<string, string>, stored: { etag?: string; lastModified?: string }): boolean =>
    notModified(
      { header: (name) => headers[name] },
      { etag: stored.etag, lastModified: stored.lastModified, date },
      date,
    );

  test.each([
    ['"a"', '"a"', true],
    ['W/"a"', '"a"', true],
    ['"a"', 'W/"a"', true],
    ['"b"', '"a"', false],
    ['"a", "b", "c"', '"b"', true],
    ['"b","a"', '"a"', true],
    ['"x, y", "a"', '"x, y"', true],
    ['*', '"a"', true],
    ['"a"', undefined, false],
    ['"*"', '"a"', false],
    ['a', '"a"', false],
    ['"a', '"a"', false],
    ['', '"a"', false],
  ])('If-None-Match: %s against %s', (value, etag, expected) =>
    expect(ask({ 'if-none-match': value }, etag === undefined ? {} : { etag })).toBe(expected),
  );

  test.each([
    [modified, true],
    ['Wed, 14 Jan 2026 12:00:01 GMT', true],
    ['Wednesday, 14-Jan-26 12:00:00 GMT', true],
    ['Wed Jan 14 12:00:00 2026', true],
    ['Wed, 14 Jan 2026 11:59:59 GMT', false],
    ['junk', false],
  ])('If-Modified-Since: %s', (value, expected) =>
    expect(ask({ 'if-modified-since': value }, { lastModified: modified })).toBe(expected),
  );

  test('without Last-Modified the date stands in for it', () => {
    expect(ask({ 'if-modified-since': 'Thu, 15 Jan 2026 12:00:00 GMT' }, {})).toBe(true);
    expect(ask({ 'if-modified-since': 'Thu, 15 Jan 2026 11:59:59 GMT' }, {})).toBe(false);
  });

  test('If-None-Match goes before If-Modified-Since', () => {
    const stored = { etag: '"a"', lastModified: modified };
    expect(ask({ 'if-none-match': '"b"', 'if-modified-since': modified }, stored)).toBe(false);
    const longAgo = 'Wed, 14 Jan 2015 12:00:00 GMT';
    expect(ask({ 'if-none-match': '"a"', 'if-modified-since': longAgo }, stored)).toBe(true);
  });

  test('gets a 304, with what it may have to update and without what it has', async () => {
    const headers = {
      'cache-control': 'max-age=60',
      etag: '"a"',
      vary: 'x',
      expires: 'Sat, 01 Jan 2050 00:00:00 GMT',
    };
    await using made = await stage(
      counting({
        ...headers,
        'content-type': 'text/plain',
        'content-language': 'en',
        'content-location': '/x',
      }),
    );
    await made.get();
    made.clock.advance('3s');
    const answer = await made.get({ 'if-none-match': 'W/"a"' });
    expect(answer).toMatchObject({ status: 304, body: '' });
    expect(answer.headers).toMatchObject({ ...headers, 'content-location': '/x', age: '3' });
    expect(answer.headers.date).toBeDefined();
    for (const name of ['content-length', 'content-type', 'content-language', 'transfer-encoding'])
      expect(answer.headers[name], name).toBeUndefined();
    expect((await made.get({ 'if-none-match': '"b"' })).status).toBe(200);
    expect(made.seen).toHaveLength(1);
  });

  test('If-Match and If-Unmodified-Since are for the origin', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60', etag: '"a"' }));
    await made.get();
    await made.get({ 'if-match': '"b"' });
    await made.get({ 'if-unmodified-since': modified });
    expect(made.seen).toHaveLength(3);
    expect(made.seen[1]?.headers['if-match']).toBe('"b"');
  });

  test('a first request fetches the whole for the store, whatever its client has', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60', etag: '"a"' }));
    expect((await made.get({ 'if-none-match': '"a"', 'if-modified-since': modified })).status).toBe(200);
    expect(made.seen[0]?.headers['if-none-match']).toBeUndefined();
    expect(made.seen[0]?.headers['if-modified-since']).toBeUndefined();
    expect((await made.get()).body).toBe('answer 1');
  });
});

/** An origin with a resource that confirms its validators. */
function validating(current: () => { headers: Said['headers']; extra?: Said['headers']; body?: string }) {
  return (request: Seen): Said => {
    const { headers = {}, extra = {}, body = 'whole' } = current();
    const same =
      (headers.etag !== undefined && request.headers['if-none-match'] === headers.etag) ||
      (headers['last-modified'] !== undefined &&
        request.headers['if-modified-since'] === headers['last-modified']);
    return same ? { status: 304, headers: { ...headers, ...extra } } : { headers, body };
  };
}

describe('a stale response (RFC 9111, 4.3)', () => {
  test.each([
    [{ etag: '"a"' }, { 'if-none-match': '"a"' }],
    [{ etag: 'W/"a"' }, { 'if-none-match': 'W/"a"' }],
    [{ 'last-modified': modified }, { 'if-modified-since': modified }],
    [
      { etag: '"a"', 'last-modified': modified },
      { 'if-none-match': '"a"', 'if-modified-since': modified },
    ],
  ])('%j is revalidated with %j, and is fresh again', async (validators, conditions) => {
    const headers = { ...validators, 'cache-control': 'max-age=10', 'x-own': '1' };
    await using made = await stage(validating(() => ({ headers })));
    await made.get();
    made.clock.advance('15s');
    const second = await made.get();
    expect(second).toMatchObject({ status: 200, body: 'whole' });
    expect(second.headers).toMatchObject({
      age: '0',
      'x-own': '1',
      'cache-status': 'weir; fwd=stale; fwd-status=304; ttl=10',
    });
    expect(made.seen[1]?.headers).toMatchObject(conditions);
    made.clock.advance('9s');
    const third = await made.get();
    expect(third).toMatchObject({ status: 200, body: 'whole' });
    expect(third.headers['cache-status']).toBe('weir; hit; ttl=1');
    expect(made.seen).toHaveLength(2);
  });

  test('is fetched again if it has no validator', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=10' }));
    await made.get();
    made.clock.advance('15s');
    expect((await made.get({ 'if-none-match': '"own"' })).body).toBe('answer 2');
    expect(made.seen[1]?.headers['if-none-match']).toBeUndefined();
  });

  test('is replaced by a new one', async () => {
    let headers: Record<string, string> = { etag: '"a"', 'cache-control': 'max-age=10', 'x-old': '1' };
    let body = 'old';
    await using made = await stage(validating(() => ({ headers, body })));
    await made.get();
    made.clock.advance('15s');
    headers = { etag: '"b"', 'cache-control': 'max-age=10' };
    body = 'new';
    expect((await made.get()).body).toBe('new');
    const hit = await made.get();
    expect(hit).toMatchObject({ body: 'new' });
    expect(hit.headers).toMatchObject({ etag: '"b"' });
    expect(hit.headers['x-old']).toBeUndefined();
  });

  test('is updated by the fields of the 304, all lines of them, but for those of the body (3.2)', async () => {
    const headers = { etag: '"a"', 'cache-control': 'max-age=10', 'x-a': ['1', '2'], 'x-b': '1' };
    let extra: Said['headers'] = {};
    await using made = await stage(validating(() => ({ headers, extra })));
    await made.get();
    made.clock.advance('15s');
    extra = {
      'cache-control': 'max-age=30',
      'x-a': ['3', '4', '5'],
      'x-c': 'new',
      'content-foo': 'new',
      'content-type': 'text/new',
      'content-encoding': 'gzip',
      'content-range': 'bytes 0-1/2',
      connection: 'x-hop',
      'x-hop': '1',
    };
    const updated = {
      'cache-control': 'max-age=30',
      'x-a': '3, 4, 5',
      'x-b': '1',
      'x-c': 'new',
      'content-foo': 'new',
      'content-type': 'text/new',
      'content-length': '5',
    };
    for (const expected of ['weir; fwd=stale; fwd-status=304; ttl=30', 'weir; hit; ttl=30']) {
      const answer = await made.get();
      expect(answer.body).toBe('whole');
      expect(answer.headers).toMatchObject({ ...updated, 'cache-status': expected });
      for (const name of ['content-encoding', 'content-range', 'x-hop'])
        expect(answer.headers[name], name).toBeUndefined();
    }
  });

  test('the age of the 304 takes the place of its own, and so does its date', async () => {
    const headers = { etag: '"a"', 'cache-control': 'max-age=100', age: '95' };
    let extra: Said['headers'] = {};
    await using made = await stage(validating(() => ({ headers, extra })));
    const date = (await made.get()).headers.date;
    made.clock.advance('10s');
    extra = { age: '3' };
    const answer = await made.get();
    expect(answer.headers).toMatchObject({ age: '3', date: made.date() });
    expect(answer.headers.date).not.toBe(date);
  });

  test('a client that asked under conditions of its own gets its 304, or the whole', async () => {
    const headers = { etag: '"a"', 'last-modified': modified, 'cache-control': 'max-age=10' };
    await using made = await stage(validating(() => ({ headers })));
    await made.get();
    made.clock.advance('15s');
    expect((await made.get({ 'if-none-match': '"a"' })).status).toBe(304);
    made.clock.advance('15s');
    expect(await made.get({ 'if-none-match': '"mine"' })).toMatchObject({ status: 200, body: 'whole' });
    expect(made.seen[2]?.headers['if-none-match']).toBe('"a"');
    made.clock.advance('15s');
    expect((await made.get({ 'if-modified-since': modified })).status).toBe(304);
    expect(made.seen).toHaveLength(4);
  });

  test('a 304 that turns it into something that may not be kept is the last that is seen of it', async () => {
    const headers = { etag: '"a"', 'cache-control': 'max-age=10' };
    let extra: Said['headers'] = {};
    await using made = await stage(validating(() => ({ headers, extra })));
    await made.get();
    made.clock.advance('15s');
    extra = { 'cache-control': 'private' };
    expect((await made.get()).body).toBe('whole');
    expect(made.cache.snapshot().entries).toBe(0);
  });

  test('a 304 about something else does not update it', async () => {
    const headers = { etag: '"a"', 'cache-control': 'max-age=10' };
    let extra: Said['headers'] = {};
    await using made = await stage(validating(() => ({ headers, extra })));
    await made.get();
    made.clock.advance('15s');
    extra = { etag: '"other"', 'x-other': '1' };
    const answer = await made.get();
    expect(answer).toMatchObject({ status: 200, body: 'whole' });
    expect(answer.headers['x-other']).toBeUndefined();
    expect(made.cache.snapshot().entries).toBe(0);
    expect(confirms(['last-modified', modified], { etag: undefined, lastModified: 'Mon', date })).toBe(false);
    expect(confirms([], { etag: '"a"', lastModified: modified, date })).toBe(true);
  });

  test('a cookie on a 304 goes to the client that asked, and to no other', async () => {
    const headers = { etag: '"a"', 'cache-control': 'max-age=10' };
    let extra: Said['headers'] = {};
    await using made = await stage(validating(() => ({ headers, extra })));
    await made.get();
    made.clock.advance('15s');
    extra = { 'set-cookie': 'session=1' };
    expect((await made.get()).headers['set-cookie']).toEqual(['session=1']);
    const hit = await made.get();
    expect(hit.body).toBe('whole');
    expect(hit.headers['set-cookie']).toBeUndefined();
    expect(made.seen).toHaveLength(2);
  });

  test('no-cache: it is stored, and asked for each time (5.2.2.4)', async () => {
    const headers = { etag: '"a"', 'cache-control': 'max-age=60, no-cache' };
    await using made = await stage(validating(() => ({ headers })));
    await made.get();
    for (let i = 0; i < 3; i += 1) expect(await made.get()).toMatchObject({ status: 200, body: 'whole' });
    expect(made.seen).toHaveLength(4);
    expect(made.seen[3]?.headers['if-none-match']).toBe('"a"');
  });

  test('a validator alone is worth storing', async () => {
    await using made = await stage(validating(() => ({ headers: { etag: '"a"' } })));
    await made.get();
    expect(await made.get()).toMatchObject({ status: 200, body: 'whole' });
    expect(made.seen[1]?.headers['if-none-match']).toBe('"a"');
  });

  test('only the variant that the request selects is asked about', async () => {
    const headers = { etag: '"a"', 'cache-control': 'max-age=10', vary: 'x-a' };
    await using made = await stage(validating(() => ({ headers })));
    await made.get({ 'x-a': '1' });
    made.clock.advance('15s');
    await made.get({ 'x-a': '2' });
    expect(made.seen[1]?.headers['if-none-match']).toBeUndefined();
    await made.get({ 'x-a': '1' });
    expect(made.seen[2]?.headers).toMatchObject({ 'if-none-match': '"a"', 'x-a': '1' });
  });
});

describe('HEAD (RFC 9111, 4.3.5)', () => {
  const head = { method: 'HEAD' };

  test('is answered from what a GET has stored', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60', 'x-own': '1' }));
    await made.get();
    made.clock.advance('4s');
    const answer = await made.get({}, head);
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers).toMatchObject({ age: '4', 'x-own': '1', 'content-length': '8' });
    expect(made.seen).toHaveLength(1);
  });

  test('reaches the origin as HEAD, and is not stored', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60' }));
    await made.get({}, head);
    expect(made.seen[0]?.method).toBe('HEAD');
    expect((await made.get()).body).toBe('answer 2');
  });

  test('is never taken for the body of a GET, however it was asked', async () => {
    // No content-length, so that nothing but the method tells that the body is missing.
    const said = { headers: { 'cache-control': 'public, max-age=60', etag: '"a"' }, body: ['whole'] };
    for (const headers of [{}, { 'if-match': '"a"' }, { authorization: 'a' }, { range: 'bytes=0-1' }]) {
      await using made = await stage(({ method }) => (method === 'HEAD' ? { headers: said.headers } : said));
      await made.get(headers as Record<string, string>, head);
      expect(made.cache.snapshot().entries).toBe(0);
      expect((await made.get()).body).toBe('whole');
    }
    // A stored response that must not answer an authorized request, and a HEAD with credentials.
    let control = 'max-age=60';
    await using made = await stage(({ method }) => ({
      headers: { 'cache-control': control },
      body: method === 'HEAD' ? [] : ['whole'],
    }));
    await made.get();
    control = 'public, max-age=60';
    await made.get({ authorization: 'a' }, head);
    expect((await made.get()).body).toBe('whole');
  });

  test('refreshes a stale response that it finds unchanged', async () => {
    let headers: Record<string, string> = { 'cache-control': 'max-age=10', 'x-own': '1', 'x-kept': '1' };
    await using made = await stage(() => ({ headers: { ...headers, 'content-length': '4' }, body: 'body' }));
    await made.get();
    made.clock.advance('15s');
    headers = { 'cache-control': 'max-age=10', 'x-own': '2' };
    await made.get({}, head);
    const answer = await made.get();
    expect(answer).toMatchObject({ status: 200, body: 'body' });
    expect(answer.headers).toMatchObject({ 'x-own': '2', 'x-kept': '1', age: '0' });
    expect(made.seen).toHaveLength(2);
  });

  test.each([
    ['another length', { headers: { 'cache-control': 'max-age=10', etag: '"a"', 'content-length': '5' } }],
    ['another tag', { headers: { 'cache-control': 'max-age=10', etag: '"b"' } }],
    ['another status', { status: 410, headers: { 'cache-control': 'max-age=10', etag: '"a"' } }],
    ['no leave to store', { headers: { 'cache-control': 'no-store', etag: '"a"' } }],
  ])('with %s it does not', async (_what, said: Said) => {
    const first: Said = { headers: { 'cache-control': 'max-age=10', etag: '"a"' }, body: 'body' };
    await using made = await stage((_request, _stage, count) => (count === 1 ? first : said));
    await made.get();
    made.clock.advance('15s');
    await made.get({}, head);
    await made.get();
    expect(made.seen).toHaveLength(3);
  });

  test('with credentials, it says nothing of what is stored for everybody', async () => {
    let control = 'public, max-age=10';
    await using made = await stage(() => ({
      headers: { 'cache-control': control, etag: '"a"' },
      body: 'body',
    }));
    await made.get();
    made.clock.advance('15s');
    control = 'max-age=60';
    await made.get({ authorization: 'a' }, head);
    await made.get();
    expect(made.seen).toHaveLength(3);
  });

  test('an error that it meets says nothing of what is stored', async () => {
    const said: Said = { headers: { 'cache-control': 'max-age=10, stale-if-error=60' }, body: 'body' };
    await using made = await stage((_request, _stage, count) => (count === 1 ? said : { status: 503 }));
    await made.get();
    made.clock.advance('15s');
    expect((await made.get({}, head)).status).toBe(503);
    expect((await made.get()).body).toBe('body');
  });
});

describe('what clients say of caching (RFC 9111, 5.2.1)', () => {
  const script = counting({ 'cache-control': 'max-age=60', etag: '"a"' });

  test.each(['no-cache', 'max-age=0', 'min-fresh=600'])(
    '%s does not reach the origin by default',
    async (control) => {
      await using made = await stage(script);
      await made.get();
      await made.get({ 'cache-control': control, pragma: 'no-cache' });
      expect(made.seen).toHaveLength(1);
    },
  );

  test('only-if-cached: from memory or not at all', async () => {
    await using made = await stage(script);
    const control = { 'cache-control': 'only-if-cached' };
    expect(await made.get(control)).toMatchObject({ status: 504, body: '' });
    await made.get();
    expect((await made.get(control)).body).toBe('answer 1');
    made.clock.advance('90s');
    expect((await made.get(control)).status).toBe(504);
    expect(made.seen).toHaveLength(1);
  });

  test.each([
    [{ 'cache-control': 'no-cache' }, 2],
    [{ pragma: 'no-cache' }, 2],
    [{ pragma: 'no-cache', 'cache-control': 'x' }, 1],
    [{ 'cache-control': 'max-age=9' }, 2],
    [{ 'cache-control': 'max-age=10' }, 1],
    [{ 'cache-control': 'min-fresh=51' }, 2],
    [{ 'cache-control': 'min-fresh=50' }, 1],
  ])('with clientDirectives, %j ten seconds later makes %i requests', async (headers, expected) => {
    await using made = await stage(script, { clientDirectives: true });
    await made.get();
    made.clock.advance('10s');
    const answer = await made.get(headers as Record<string, string>);
    expect(made.seen).toHaveLength(expected);
    if (expected === 1) return;
    expect(answer.headers['cache-status']).toBe('weir; fwd=request; fwd-status=200; stored');
    expect(made.seen[1]?.headers['if-none-match']).toBe('"a"');
  });

  test('max-stale takes what is stale, but not what must not be used stale', async () => {
    for (const [control, reused] of [
      ['max-age=10', true],
      ['max-age=10, must-revalidate', false],
      ['s-maxage=10', false],
      ['max-age=10, no-cache', false],
    ] as const) {
      await using made = await stage(counting({ 'cache-control': control }), { clientDirectives: true });
      await made.get();
      made.clock.advance('15s');
      const answer = await made.get({ 'cache-control': 'max-stale=5' });
      expect(answer.body, control).toBe(reused ? 'answer 1' : 'answer 2');
      if (reused) expect(answer.headers['cache-status']).toBe('weir; hit; ttl=-5');
    }
    await using made = await stage(counting({ 'cache-control': 'max-age=10' }), { clientDirectives: true });
    await made.get();
    made.clock.advance(15_001);
    expect((await made.get({ 'cache-control': 'max-stale=5' })).body).toBe('answer 2');
  });
});
