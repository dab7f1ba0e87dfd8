import { describe, expect, test } from 'vitest';
import { counting, stage } from './stage.ts';

/** Whether the second of two equal requests is answered from memory. */
async function reused(
  headers: Record<string, string | string[]>,
  { status = 200, request = {} }: { status?: number; request?: Record<string, string> } = {},
): Promise<boolean> {
  await using made = await stage(counting(headers, { status }));
  await made.get(request);
  await made.get(request);
  return made.seen.length === 1;
}

describe('what is stored (RFC 9111, 3)', () => {
  test('a response with a lifetime is answered from memory, with its age and the time it has left', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60', 'x-own': 'a' }));
    const first = await made.get();
    expect(first.headers['cache-status']).toBe('weir; fwd=uri-miss; fwd-status=200; stored');
    made.clock.advance('7s');
    const second = await made.get();
    expect(second).toMatchObject({ status: 200, body: 'answer 1', complete: true });
    expect(second.headers).toMatchObject({
      age: '7',
      'cache-status': 'weir; hit; ttl=53',
      'content-length': '8',
      'cache-control': 'max-age=60',
      'x-own': 'a',
    });
    expect(made.seen).toHaveLength(1);
  });

  test.each(['no-store', 'private', 'max-age=60, no-store', 'max-age=60, private', 'max-age=60, No-Store'])(
    'not with Cache-Control: %s',
    async (control) => expect(await reused({ 'cache-control': control })).toBe(false),
  );

  test('not without lifetime and validator', async () => expect(await reused({})).toBe(false));

  test.each([200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599])(
    'a %i with a lifetime of its own',
    async (status) => expect(await reused({ 'cache-control': 'max-age=60' }, { status })).toBe(true),
  );

  test.each([
    [200, true],
    [203, true],
    [204, true],
    [300, true],
    [301, true],
    [308, true],
    [404, true],
    [405, true],
    [410, true],
    [414, true],
    [501, true],
    [201, false],
    [202, false],
    [302, false],
    [403, false],
    [500, false],
    [503, false],
    [599, false],
  ])('a %i is taken as fresh for a share of the time since its last change: %s', async (status, expected) => {
    const headers = {
      'last-modified': 'Wed, 14 Jan 2026 12:00:00 GMT',
      date: 'Thu, 15 Jan 2026 12:00:00 GMT',
    };
    expect(await reused(headers, { status })).toBe(expected);
    expect(await reused({ ...headers, 'cache-control': 'public' }, { status })).toBe(true);
  });

  test('with must-understand, no-store holds only for statuses that are not understood', async () => {
    const headers = { 'cache-control': 'max-age=60, no-store, must-understand' };
    expect(await reused(headers)).toBe(true);
    expect(await reused(headers, { status: 599 })).toBe(false);
  });

  test('a part, 206, is never stored, and never given as the whole', async () => {
    const headers = { 'cache-control': 'max-age=60', 'content-range': 'bytes 0-3/8' };
    await using made = await stage(({ headers: { range } }) =>
      range === undefined
        ? { headers: { 'cache-control': 'max-age=60' }, body: '01234567' }
        : { status: 206, headers, body: '0123' },
    );
    expect(await made.get({ range: 'bytes=0-3' })).toMatchObject({ status: 206, body: '0123' });
    expect(await made.get()).toMatchObject({ status: 200, body: '01234567' });
    expect(made.seen[0]?.headers.range).toBe('bytes=0-3');
  });

  test('not when the client says no-store, but it is answered from memory', async () => {
    const control = { 'cache-control': 'no-store' };
    expect(await reused({ 'cache-control': 'max-age=60' }, { request: control })).toBe(false);
    await using made = await stage(counting({ 'cache-control': 'max-age=60' }));
    await made.get();
    expect((await made.get(control)).body).toBe('answer 1');
  });

  test('fields of the connection and of a proxy are not stored (3.1), nor those named there', async () => {
    const answer = {
      connection: 'x-hop',
      'keep-alive': 'timeout=5',
      'x-hop': '1',
      'x-end': '2',
      upgrade: 'h2c',
    };
    const proxy = {
      'proxy-authenticate': 'Basic',
      'proxy-authentication-info': 'a',
      'proxy-connection': 'b',
      te: 'c',
    };
    await using made = await stage(counting({ ...answer, ...proxy, 'cache-control': 'max-age=60' }));
    await made.get();
    const { headers } = await made.get();
    expect(headers['x-end']).toBe('2');
    for (const name of ['x-hop', 'upgrade', ...Object.keys(proxy)])
      expect(headers[name], name).toBeUndefined();
    expect(headers.connection).not.toContain('x-hop');
  });

  test.each(['no-cache', 'private'])(
    '%s="field" keeps that field from being stored, and no other',
    async (name) => {
      const control = [`${name}="x-a, X-B"`, 'max-age=60'];
      await using made = await stage(
        counting({ 'cache-control': control, 'x-a': '1', 'x-b': '2', 'x-c': '3' }),
      );
      expect((await made.get()).headers['x-a']).toBe('1');
      const { headers } = await made.get();
      expect(headers).toMatchObject({ 'x-c': '3' });
      expect([headers['x-a'], headers['x-b']]).toEqual([undefined, undefined]);
      expect(made.seen).toHaveLength(1);
    },
  );

  test('repeated fields stay apart, and a response has the date of its making', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60', link: ['<a>', '<b>'] }));
    await made.get();
    const date = made.date();
    made.clock.advance('5s');
    const { headers } = await made.get();
    expect(headers.link).toBe('<a>, <b>');
    expect(headers.date).toBe(date);
  });

  test('an empty body is a body, and a 204 has no length', async () => {
    await using empty = await stage({ headers: { 'cache-control': 'max-age=60' }, body: '' });
    await empty.get();
    expect((await empty.get()).headers['content-length']).toBe('0');
    await using none = await stage({ status: 204, headers: { 'cache-control': 'max-age=60' } });
    await none.get();
    expect((await none.get()).headers).toMatchObject({ age: '0' });
    expect((await none.get()).headers['content-length']).toBeUndefined();
    expect(none.seen).toHaveLength(1);
  });

  test('bytes come back as they were', async () => {
    const body = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
    await using made = await stage({ headers: { 'cache-control': 'max-age=60' }, body });
    const first = await made.get();
    expect((await made.get()).body).toBe(first.body);
    expect((await made.get()).headers['content-length']).toBe('300000');
  });

  test('a body in pieces is stored whole', async () => {
    await using made = await stage({ headers: { 'cache-control': 'max-age=60' }, body: ['a', 'b', 'c'] });
    expect((await made.get()).body).toBe('abc');
    expect((await made.get()).body).toBe('abc');
    expect(made.seen).toHaveLength(1);
  });

  test('query strings tell responses apart, in their order and with repeats', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60' }));
    for (const path of ['/?a=1&b=2', '/?b=2&a=1', '/?a=1&a=1', '/?a=1', '/', '/?'])
      await made.get({}, { path });
    expect(made.seen).toHaveLength(6);
    await made.get({}, { path: '/?a=1&b=2' });
    expect(made.seen).toHaveLength(6);
  });
});

describe('authenticated requests (RFC 9111, 3.5)', () => {
  const authorization = 'Basic YTpi';

  test('their responses are not stored', async () => {
    expect(await reused({ 'cache-control': 'max-age=60' }, { request: { authorization } })).toBe(false);
  });

  test.each(['public', 'must-revalidate', 's-maxage=60'])('except with %s', async (directive) => {
    await using made = await stage(counting({ 'cache-control': `max-age=60, ${directive}` }));
    await made.get({ authorization });
    expect((await made.get()).body).toBe('answer 1');
    expect((await made.get({ authorization: 'Basic other' })).body).toBe('answer 1');
  });

  test('a response stored for others does not answer them', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60' }));
    await made.get();
    const own = await made.get({ authorization });
    expect(own.body).toBe('answer 2');
    expect(own.headers['cache-status']).toBe('weir; fwd=request; fwd-status=200; detail=authorization');
    expect((await made.get()).body).toBe('answer 1');
  });
});
