import { describe, expect, test } from 'vitest';
import { byteRange } from '../../src/http/range.ts';
import { rangeAllowed } from '../../src/http/validators.ts';
import { stage } from './stage.ts';

describe('one range of bytes (RFC 9110, 14.1.2)', () => {
  test.each([
    ['bytes=0-1', { first: 0, last: 1 }],
    ['bytes=0-', { first: 0, last: 9 }],
    ['bytes=9-', { first: 9, last: 9 }],
    ['bytes=-1', { first: 9, last: 9 }],
    ['bytes=-99', { first: 0, last: 9 }],
    ['bytes=5-99', { first: 5, last: 9 }],
    ['Bytes= 0-0', { first: 0, last: 0 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=2-1', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=0-1,3-4', 'whole'],
    ['bytes=a-b', 'whole'],
    ['items=0-1', 'whole'],
    ['', 'whole'],
  ])('%s of ten', (value, expected) => expect(byteRange(value, 10)).toEqual(expected));

  test('of nothing there is none', () => expect(byteRange('bytes=-5', 0)).toBe('unsatisfiable'));
});

test.each([
  ['"a"', true],
  ['W/"a"', false],
  ['"b"', false],
  ['Wed, 14 Jan 2026 12:00:00 GMT', true],
  ['Wed, 14 Jan 2026 12:00:01 GMT', false],
  ['junk', false],
])('If-Range: %s', (value, expected) => {
  const date = Date.UTC(2026, 0, 15);
  const stored = { etag: '"a"', lastModified: 'Wed, 14 Jan 2026 12:00:00 GMT', date };
  expect(rangeAllowed(value, stored)).toBe(expected);
  expect(rangeAllowed('W/"a"', { ...stored, etag: 'W/"a"' })).toBe(false);
  expect(rangeAllowed(stored.lastModified, { ...stored, date: Date.UTC(2026, 0, 14, 12) })).toBe(false);
});

describe('parts of a stored response', () => {
  const whole = { headers: { 'cache-control': 'max-age=60', etag: '"a"', 'x-own': '1' }, body: '0123456789' };

  test('are cut from it', async () => {
    await using made = await stage(whole);
    await made.get();
    const part = await made.get({ range: 'bytes=2-4' });
    expect(part).toMatchObject({ status: 206, body: '234', complete: true });
    expect(part.headers).toMatchObject({
      'content-range': 'bytes 2-4/10',
      'content-length': '3',
      etag: '"a"',
      'x-own': '1',
      age: '0',
    });
    expect(await made.get({ range: 'bytes=-1' })).toMatchObject({ status: 206, body: '9' });
    expect(await made.get()).toMatchObject({ status: 200, body: '0123456789' });
    expect(made.seen).toHaveLength(1);
  });

  test('behind its end there is none', async () => {
    await using made = await stage(whole);
    await made.get();
    const none = await made.get({ range: 'bytes=10-' });
    expect(none).toMatchObject({ status: 416, body: '' });
    expect(none.headers['content-range']).toBe('bytes */10');
  });

  test('several at once, or conditions that do not hold, give the whole', async () => {
    await using made = await stage(whole);
    await made.get();
    expect(await made.get({ range: 'bytes=0-1,3-4' })).toMatchObject({ status: 200, body: '0123456789' });
    expect(await made.get({ range: 'bytes=0-1', 'if-range': '"b"' })).toMatchObject({ status: 200 });
    expect(await made.get({ range: 'bytes=0-1', 'if-range': '"a"' })).toMatchObject({ status: 206 });
    expect(await made.get({ range: 'bytes=0-1' }, { method: 'HEAD' })).toMatchObject({ status: 200 });
    // If-None-Match is looked at first (RFC 9110, 13.2.2).
    expect(await made.get({ range: 'bytes=0-1', 'if-none-match': '"a"' })).toMatchObject({ status: 304 });
  });

  test('of a 404 there are none', async () => {
    await using made = await stage({ ...whole, status: 404 });
    await made.get();
    expect(await made.get({ range: 'bytes=0-1' })).toMatchObject({ status: 404, body: '0123456789' });
    expect(await made.get({ 'if-none-match': '"a"' })).toMatchObject({ status: 404 });
  });

  test('when it is stale the origin is asked about the whole', async () => {
    await using made = await stage(({ headers }) =>
      headers['if-none-match'] === '"a"' ? { ...whole, status: 304, body: '' } : whole,
    );
    await made.get();
    made.clock.advance('2m');
    expect(await made.get({ range: 'bytes=0-1' })).toMatchObject({ status: 206, body: '01' });
    expect(made.seen[1]?.headers).toMatchObject({ 'if-none-match': '"a"' });
    expect(made.seen[1]?.headers.range).toBeUndefined();
  });
});
