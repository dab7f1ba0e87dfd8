import type { Policy } from '@weir/core';
import { describe, expect, test } from 'vitest';
import type { Said } from './hosts.ts';
import { originPolicy } from './hosts.ts';
import { counting, gate, stage, until } from './stage.ts';

describe('stale-if-error (RFC 5861, 4)', () => {
  /** An origin that answers once and then fails. */
  const failing =
    (control: string, failure: Said = { status: 503, body: 'down' }) =>
    (_request: unknown, _stage: unknown, count: number): Said =>
      count === 1 ? { headers: { 'cache-control': control }, body: 'good' } : failure;

  test.each([500, 502, 503, 504])('a %i is answered with what was good a while ago', async (status) => {
    await using made = await stage(failing('max-age=10, stale-if-error=60', { status }));
    await made.get();
    made.clock.advance('30s');
    const answer = await made.get();
    expect(answer).toMatchObject({ status: 200, body: 'good' });
    expect(answer.headers).toMatchObject({
      age: '30',
      'cache-status': `weir; fwd=stale; fwd-status=${status}; ttl=-20; detail=stale-if-error`,
    });
    expect(made.cache.snapshot().staleOnError).toBe(1);
  });

  test.each([404, 501, 429])('a %i is an answer', async (status) => {
    await using made = await stage(failing('max-age=10, stale-if-error=60', { status }));
    await made.get();
    made.clock.advance('30s');
    expect((await made.get()).status).toBe(status);
  });

  test('ends with its time', async () => {
    await using made = await stage(failing('max-age=10, stale-if-error=60'));
    await made.get();
    made.clock.advance('70s');
    expect((await made.get()).body).toBe('good');
    made.clock.advance(1_001);
    expect((await made.get()).status).toBe(503);
  });

  test('is nothing that a response must ask for, if the cache is told', async () => {
    await using made = await stage(failing('max-age=10'), { staleIfError: '1m' });
    await made.get();
    made.clock.advance('30s');
    expect((await made.get()).body).toBe('good');
    await using strict = await stage(failing('max-age=10'));
    await strict.get();
    strict.clock.advance('30s');
    expect((await strict.get()).status).toBe(503);
    await using own = await stage(failing('max-age=10, stale-if-error=0'), { staleIfError: '1m' });
    await own.get();
    own.clock.advance('30s');
    expect((await own.get()).status).toBe(503);
  });

  test.each(['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=10'])(
    'never with %s (RFC 9111, 4.2.4)',
    async (word) => {
      const control = `max-age=10, ${word}, stale-if-error=60, stale-while-revalidate=60`;
      await using made = await stage(failing(control), { staleIfError: '1h', staleWhileRevalidate: '1h' });
      await made.get();
      made.clock.advance('30s');
      expect((await made.get()).status).toBe(503);
    },
  );

  test('a failing origin is not asked again at once, and never by two', async () => {
    const released = gate();
    await using made = await stage(async (_request, _stage, count) => {
      if (count === 1)
        return { headers: { 'cache-control': 'max-age=10, stale-if-error=600' }, body: 'good' };
      if (count === 3) await released.passed;
      return { status: 503 };
    });
    await made.get();
    made.clock.advance('30s');
    for (let i = 0; i < 5; i += 1) expect((await made.get()).body).toBe('good');
    expect(made.seen).toHaveLength(2);
    made.clock.advance('1s');
    const third = made.get();
    await until(() => made.seen.length === 3);
    made.clock.advance('5s');
    for (let i = 0; i < 5; i += 1) expect((await made.get()).body).toBe('good');
    expect(made.seen).toHaveLength(3);
    released.open();
    expect((await third).body).toBe('good');
  });

  test('those who wait for the one that fails are served with it', async () => {
    const released = gate();
    await using made = await stage(async (_request, _stage, count) => {
      if (count === 1)
        return { headers: { 'cache-control': 'max-age=10, stale-if-error=600' }, body: 'good' };
      await released.passed;
      return { status: 503 };
    });
    await made.get();
    made.clock.advance('30s');
    const answers = Array.from({ length: 5 }, () => made.get());
    await until(() => made.cache.snapshot().waiting === 4);
    released.open();
    for (const answer of await Promise.all(answers)) expect(answer.body).toBe('good');
    expect(made.seen).toHaveLength(2);
  });

  test('once the origin is back, it is asked and believed', async () => {
    let down = false;
    await using made = await stage((_request, _stage, count) =>
      down
        ? { status: 500 }
        : { headers: { 'cache-control': 'max-age=10, stale-if-error=600' }, body: `good ${count}` },
    );
    await made.get();
    made.clock.advance('30s');
    down = true;
    expect((await made.get()).body).toBe('good 1');
    down = false;
    made.clock.advance('2s');
    expect((await made.get()).body).toBe('good 3');
    expect((await made.get()).body).toBe('good 3');
    expect(made.seen).toHaveLength(3);
  });
});

describe('stale-while-revalidate (RFC 5861, 3)', () => {
  const control = 'max-age=10, stale-while-revalidate=60';

  test('one request revalidates, the others are served what is stale', async () => {
    const released = gate();
    await using made = await stage(async (_request, _stage, count) => {
      if (count === 2) await released.passed;
      return { headers: { 'cache-control': control }, body: `answer ${count}` };
    });
    await made.get();
    made.clock.advance('30s');
    const first = made.get();
    await until(() => made.seen.length === 2);
    for (let i = 0; i < 5; i += 1) {
      const answer = await made.get();
      expect(answer.body).toBe('answer 1');
      expect(answer.headers['cache-status']).toBe('weir; hit; ttl=-20');
    }
    released.open();
    expect((await first).body).toBe('answer 2');
    expect((await made.get()).body).toBe('answer 2');
    expect(made.seen).toHaveLength(2);
  });

  test('ends with its time', async () => {
    const released = gate();
    await using made = await stage(async (_request, _stage, count) => {
      if (count === 2) await released.passed;
      return { headers: { 'cache-control': control }, body: `answer ${count}` };
    });
    await made.get();
    made.clock.advance(70_001);
    const answers = [made.get(), made.get()];
    await until(() => made.cache.snapshot().waiting === 1);
    released.open();
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['answer 2', 'answer 2']);
  });

  test('the cache may be told of it where responses say nothing', async () => {
    const released = gate();
    await using made = await stage(
      async (_request, _stage, count) => {
        if (count === 2) await released.passed;
        return { headers: { 'cache-control': 'max-age=10' }, body: `answer ${count}` };
      },
      { staleWhileRevalidate: '1m' },
    );
    await made.get();
    made.clock.advance('30s');
    const first = made.get();
    await until(() => made.seen.length === 2);
    expect((await made.get()).body).toBe('answer 1');
    released.open();
    await first;
  });
});

describe('in the background', () => {
  const control = 'max-age=10, stale-while-revalidate=60, stale-if-error=600';
  const headers = { 'cache-control': control, etag: '"a"' };

  /** A stage whose background origin says what it is told. */
  async function behind(
    say: (headers: Record<string, unknown>, count: number) => Said | Promise<Said>,
    wrap?: (policy: Policy) => Policy,
  ) {
    const asked: Record<string, unknown>[] = [];
    const policy = originPolicy((request) => {
      asked.push(request.headers);
      return say(request.headers, asked.length);
    });
    const origin = wrap?.(policy) ?? policy;
    const made = await stage({ headers, body: 'first' }, { background: { origin, timeout: '5s' } });
    await made.get({ 'x-own': '1' });
    made.clock.advance('30s');
    return { made, asked };
  }

  test('even the first one that finds it stale need not wait', async () => {
    const { made, asked } = await behind(() => ({ headers, body: 'second' }));
    await using _made = made;
    const answer = await made.get({ 'x-own': '2', 'if-none-match': '"mine"', range: 'bytes=0-1' });
    expect(answer.body).toBe('fi');
    await until(() => made.cache.snapshot().stored === 2);
    expect(asked[0]).toMatchObject({ 'if-none-match': '"a"', 'x-own': '2' });
    expect(asked[0]?.range).toBeUndefined();
    expect((await made.get()).body).toBe('second');
    expect(made.seen).toHaveLength(1);
    expect(asked).toHaveLength(1);
  });

  test('a 304 makes it fresh', async () => {
    const { made, asked } = await behind(() => ({ status: 304, headers }));
    await using _made = made;
    expect((await made.get()).body).toBe('first');
    await until(() => made.cache.snapshot().revalidated === 1);
    expect((await made.get()).headers['cache-status']).toBe('weir; hit; ttl=10');
    expect(asked).toHaveLength(1);
  });

  test('one at a time', async () => {
    const released = gate();
    const { made, asked } = await behind(async () => {
      await released.passed;
      return { headers, body: 'second' };
    });
    await using _made = made;
    for (let i = 0; i < 5; i += 1) expect((await made.get()).body).toBe('first');
    expect(asked).toHaveLength(1);
    released.open();
    await until(() => made.cache.snapshot().stored === 2);
  });

  test.each<[string, (policy: Policy) => Policy]>([
    [
      'throws',
      (policy) => ({
        ...policy,
        enter: () => {
          throw new Error('no');
        },
      }),
    ],
    ['rejects', (policy) => ({ ...policy, enter: () => Promise.reject(new Error('no')) })],
    ['passes', (policy) => ({ ...policy, enter: () => undefined })],
    [
      'breaks off',
      (policy) => ({
        ...policy,
        enter: () => ({
          status: 200,
          headers: ['cache-control', 'max-age=60'],
          body: {
            start(sink) {
              sink.write(new Uint8Array(3));
              sink.abort(new Error('cut'));
            },
            resume() {},
            cancel() {},
          },
        }),
      }),
    ],
  ])('an origin that %s does no harm, and is left alone for a moment', async (_what, wrap) => {
    const { made } = await behind(() => ({}), wrap);
    await using _made = made;
    expect((await made.get()).body).toBe('first');
    await until(() => made.cache.snapshot().backgroundFailures === 1);
    expect((await made.get()).body).toBe('first');
    expect(made.cache.snapshot()).toMatchObject({ backgroundFailures: 1, stored: 1, entries: 1 });
    made.clock.advance('2s');
    await made.get();
    await until(() => made.cache.snapshot().backgroundFailures === 2);
  });

  test('a streamed answer is stored, and one that is too large is let go', async () => {
    let size = 10;
    let cancelled = 0;
    const { made } = await behind(
      () => ({}),
      (policy) => ({
        ...policy,
        enter: () => ({
          status: 200,
          headers: ['cache-control', control],
          body: {
            start(sink) {
              for (let i = 0; i < size; i += 1)
                sink.write(new TextEncoder().encode('0123456789'.repeat(100)));
              sink.end();
            },
            resume() {},
            cancel() {
              cancelled += 1;
            },
          },
        }),
      }),
    );
    await using _made = made;
    await made.get();
    await until(() => made.cache.snapshot().stored === 2);
    expect((await made.get()).body).toHaveLength(10_000);
    made.clock.advance('30s');
    size = 2_000;
    await made.get();
    await until(() => made.cache.snapshot().tooLarge === 1);
    expect(cancelled).toBe(1);
  });

  test('an answer that never comes is given up', async () => {
    const policy: Policy = { name: 'hang', enter: () => new Promise(() => {}) };
    await using made = await stage(
      { headers, body: 'first' },
      { background: { origin: policy, timeout: 1 } },
    );
    await made.get();
    made.clock.advance('30s');
    expect((await made.get()).body).toBe('first');
    await until(() => made.cache.snapshot().backgroundFailures === 1);
    made.clock.advance('2s');
    await made.get();
    await until(() => made.cache.snapshot().backgroundFailures === 2);
  });
});

test('a lifetime that is over and no grace: asked again each time', async () => {
  await using made = await stage(counting({ 'cache-control': 'max-age=0' }));
  await made.get();
  expect((await made.get()).body).toBe('answer 2');
});
