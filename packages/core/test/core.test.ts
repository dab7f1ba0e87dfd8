import { channel as nodeChannel } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import { BodyConsumedError, channel, componentName, createKey, problem } from '../src/index.ts';
import { fakeExchange, ManualClock, seededRandom } from '../src/testing.ts';

describe('problem', () => {
  test('is application/problem+json with the phrase of the status as its title', () => {
    expect(problem(429)).toEqual({
      status: 429,
      headers: ['content-type', 'application/problem+json'],
      body: '{"title":"Too Many Requests","status":429}',
      kind: undefined,
    });
  });

  test('carries type, detail and extensions in the body, headers and kind beside it', () => {
    const reply = problem(503, {
      type: 'https://example.test/closed',
      detail: 'Back at noon.',
      kind: 'error',
      headers: ['retry-after', '5'],
      queue: ['a', 1],
    });
    expect(reply).toMatchObject({
      kind: 'error',
      headers: ['content-type', 'application/problem+json', 'retry-after', '5'],
    });
    expect(JSON.parse(reply.body as string)).toEqual({
      type: 'https://example.test/closed',
      title: 'Service Unavailable',
      status: 503,
      detail: 'Back at noon.',
      queue: ['a', 1],
    });
  });

  test.each([200, 399, 600, 404.5, Number.NaN])('refuses status %s', (status) => {
    expect(() => problem(status)).toThrow(expect.objectContaining({ option: 'status' }));
  });
});

describe('channel', () => {
  test('is the diagnostics channel of that name, free while nobody listens', () => {
    const events = channel('weir:test:event');
    expect(events.hasSubscribers).toBe(false);
    const seen: unknown[] = [];
    const listen = (message: unknown): void => void seen.push(message);
    nodeChannel('weir:test:event').subscribe(listen);
    expect(events.hasSubscribers).toBe(true);
    events.publish({ a: 1 });
    nodeChannel('weir:test:event').unsubscribe(listen);
    expect(seen).toEqual([{ a: 1 }]);
  });
});

test('components without a name are numbered within their kind', () => {
  expect(componentName('thing', 'mine')).toBe('mine');
  expect([componentName('thing'), componentName('thing'), componentName('other')]).toEqual([
    'thing-1',
    'thing-2',
    'other-1',
  ]);
});

test('a consumed body says what to do', () => {
  expect(new BodyConsumedError()).toMatchObject({
    code: 'ERR_WEIR_BODY_CONSUMED',
    message: expect.stringContaining('body parser'),
  });
});

describe('fakeExchange', () => {
  test('is a request, and keeps what policies do to it', () => {
    const clock = new ManualClock(7);
    const x = fakeExchange({ url: '/a?b', headers: { 'x-a': '1' }, clock });
    expect([x.method, x.path, x.url, x.startedAt, x.header('x-a'), x.header('constructor')]).toEqual([
      'GET',
      '/a',
      '/a?b',
      7,
      '1',
      undefined,
    ]);
    x.setHeader('X-One', '1');
    x.setHeader('x-one', '2');
    x.appendHeader('x-list', 'a');
    x.appendHeader('X-List', 'b');
    expect(Object.fromEntries(x.responseHeaders)).toEqual({ 'x-one': ['2'], 'x-list': ['a', 'b'] });
    const key = createKey<number>('n');
    expect(x.get(key)).toBeUndefined();
    x.set(key, 0);
    expect(x.get(key)).toBe(0);
    x.abort('gone');
    expect(x.signal.reason).toBe('gone');
    x.waitUntil(Promise.resolve());
    expect(x.pending).toHaveLength(1);
  });
});

test('a seed gives the same numbers each time, spread evenly', () => {
  const [one, two] = [seededRandom(42), seededRandom(42)];
  const numbers = Array.from({ length: 10_000 }, () => one());
  expect(numbers).toEqual(Array.from({ length: 10_000 }, () => two()));
  const tenths = new Array<number>(10).fill(0);
  for (const number of numbers) tenths[Math.floor(number * 10)]! += 1;
  expect(Math.min(...tenths)).toBeGreaterThan(850);
  expect(Math.max(...tenths)).toBeLessThan(1_150);
});
