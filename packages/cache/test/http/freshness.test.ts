import { describe, expect, test } from 'vitest';
import { responseDirectives } from '../../src/http/directives.ts';
import { explicitLifetime, heuristicLifetime, initialAge } from '../../src/http/freshness.ts';
import { formatHttpDate } from '../../src/http/http-date.ts';
import { counting, stage } from './stage.ts';

const epoch = Date.UTC(2026, 0, 15, 12);
const times = { order: 1, requested: 0, received: 0, epoch };
const at = (seconds: number): string => formatHttpDate(epoch + seconds * 1000);

const lifetime = (...headers: string[]): number | undefined => {
  const { directives, targeted } = responseDirectives(headers, ['cdn-cache-control']);
  return explicitLifetime(headers, directives, targeted, times);
};

describe('the stated lifetime (RFC 9111, 4.2.1)', () => {
  test.each<[expected: number | undefined, ...headers: string[]]>([
    [undefined],
    [60_000, 'cache-control', 'max-age=60'],
    [10_000, 'cache-control', 'max-age=60, s-maxage=10'],
    [60_000, 'cache-control', 'max-age=10', 'cache-control', 's-maxage=60'],
    [60_000, 'cache-control', 'max-age=60', 'expires', at(-10)],
    [60_000, 'cache-control', 'max-age=60', 'expires', '0'],
    [0, 'cache-control', 'max-age=0', 'expires', at(60)],
    [60_000, 'expires', at(60)],
    [60_000, 'expires', at(160), 'date', at(100)],
    [0, 'expires', at(300), 'date', at(400)],
    [0, 'expires', at(0), 'date', at(0)],
    [10_000, 'expires', at(10), 'date', 'junk'],
    [0, 'expires', '0', 'date', at(0)],
    [0, 'expires', 'Thu, 18 Aug 2050 2:01:18 GMT'],
    [0, 'expires', 'junk', 'expires', at(60)],
    [60_000, 'expires', 'Thursday, 15-Jan-26 12:01:00 GMT'],
    // A targeted field takes the place of Expires too (RFC 9213, 2.2).
    [undefined, 'cdn-cache-control', 'public', 'expires', at(60)],
    [5_000, 'cdn-cache-control', 'max-age=5', 'cache-control', 'max-age=60', 'expires', at(60)],
    [60_000, 'cdn-cache-control', '&&&', 'cache-control', 'max-age=60'],
  ])('%s ms: %s %s %s %s %s %s', (expected, ...headers) => expect(lifetime(...headers)).toBe(expected));
});

describe('the age on arrival (RFC 9111, 4.2.3)', () => {
  test.each<[expected: number, ...headers: string[]]>([
    [0],
    [30_000, 'age', '30'],
    [0, 'age', 'abc'],
    [0, 'age', '-7200'],
    [0, 'age', '7200.0'],
    [7_200_000, 'age', '7200, 0'],
    [0, 'age', '0, 7200'],
    [7_200_000, 'age', '7200', 'age', '0'],
    [0, 'age', '0', 'age', '7200'],
    [2_147_483_648_000, 'age', '99999999999'],
    [0, 'age', '7200;foo=bar'],
    [10_000, 'date', at(-10)],
    [0, 'date', at(10)],
    [25_000, 'date', at(-10), 'age', '25'],
    [15_000, 'date', at(10), 'age', '15'],
    [0, 'date', 'junk'],
  ])('%i ms: %s %s %s %s', (expected, ...headers) => expect(initialAge(headers, times)).toBe(expected));

  test('what the answer took counts, on top of the age that it brings', () => {
    expect(initialAge(['age', '5'], { order: 1, requested: 1_000, received: 3_000, epoch })).toBe(7_000);
  });
});

describe('the lifetime by heuristics (RFC 9111, 4.2.2)', () => {
  const rule = { fraction: 0.1, max: 86_400_000 };
  const none = responseDirectives([], []).directives;
  test.each<[expected: number, ...headers: string[]]>([
    [100_000, 'last-modified', at(-1000)],
    [200_000, 'last-modified', at(-1000), 'date', at(1000)],
    [0, 'last-modified', at(10)],
    [0, 'last-modified', 'junk'],
    [0],
    [86_400_000, 'last-modified', 'Thu, 01 Jan 2015 00:00:00 GMT'],
  ])('%i ms: %s %s %s %s', (expected, ...headers) =>
    expect(heuristicLifetime(200, headers, none, times, rule)).toBe(expected),
  );

  test('can be switched off, or be set', async () => {
    const script = counting({ 'last-modified': at(-100_000), date: at(0) });
    await using off = await stage(script, { heuristic: false });
    await off.get();
    await off.get();
    expect(off.seen).toHaveLength(2);
    await using short = await stage(script, { heuristic: { max: '10s' } });
    await short.get();
    short.clock.advance('9s');
    await short.get();
    expect(short.seen).toHaveLength(1);
    short.clock.advance('1s');
    await short.get();
    expect(short.seen).toHaveLength(2);
  });
});

describe('freshness, through sockets', () => {
  test('ends with the lifetime, to the millisecond', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=10' }));
    await made.get();
    made.clock.advance(9_999);
    expect((await made.get()).body).toBe('answer 1');
    made.clock.advance(1);
    expect((await made.get()).body).toBe('answer 2');
  });

  test('the age that a response brings is used up already', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60', age: '50' }));
    await made.get();
    made.clock.advance('9s');
    expect((await made.get()).headers.age).toBe('59');
    made.clock.advance('1s');
    expect((await made.get()).body).toBe('answer 2');
  });

  test('a response that is old when it comes is not used', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=10', age: '15' }));
    await made.get();
    expect((await made.get()).body).toBe('answer 2');
  });

  test('a Date in the past counts as age, and stays what it was', async () => {
    await using made = await stage(
      counting(({ date }) => ({ 'cache-control': 'max-age=60', date: date(-20) })),
    );
    const date = (await made.get()).headers.date;
    made.clock.advance('5s');
    expect((await made.get()).headers).toMatchObject({ age: '25', date });
  });

  test('a wall clock that jumps does not change the age', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60' }));
    await made.get();
    made.clock.setEpoch(made.clock.epoch() + 86_400_000);
    expect((await made.get()).headers.age).toBe('0');
    made.clock.setEpoch(0);
    made.clock.advance('5s');
    expect((await made.get()).headers.age).toBe('5');
  });

  test('Pragma in a response says nothing', async () => {
    await using made = await stage(counting({ 'cache-control': 'max-age=60', pragma: 'no-cache' }));
    await made.get();
    await made.get();
    expect(made.seen).toHaveLength(1);
  });

  test('CDN-Cache-Control goes before Cache-Control, either way, and is passed on', async () => {
    const longer = { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' };
    await using kept = await stage(counting(longer));
    await kept.get();
    const hit = await kept.get();
    expect(hit.body).toBe('answer 1');
    expect(hit.headers).toMatchObject(longer);
    for (const word of ['no-store', 'private', 'no-cache', 'max-age=0']) {
      await using not = await stage(counting({ 'cache-control': 'max-age=60', 'cdn-cache-control': word }));
      await not.get();
      await not.get();
      expect(not.seen, word).toHaveLength(2);
    }
  });

  test('own targets take its place', async () => {
    const script = counting({ 'cdn-cache-control': 'no-store', 'Edge-Control': 'max-age=60' });
    await using made = await stage(script, { targets: ['Edge-Control'] });
    await made.get();
    await made.get();
    expect(made.seen).toHaveLength(1);
  });
});
