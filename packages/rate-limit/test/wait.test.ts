import { execFileSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ManualClock, seededRandom } from '@weir/core/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createLimiter,
  type Decision,
  fixedWindow,
  type Limiter,
  type LimiterOptions,
  leakyBucket,
  slidingLog,
  tokenBucket,
} from '../src/index.ts';

let clock: ManualClock;
beforeEach(() => {
  vi.useFakeTimers();
  clock = new ManualClock();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const pass = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(0);
  for (let left = ms; left > 0; left -= 1) {
    clock.advance(1);
    await vi.advanceTimersByTimeAsync(1);
  }
};
const make = (limits: LimiterOptions['limits'], options: Partial<LimiterOptions> = {}): Limiter =>
  createLimiter({ limits, clock, ...options });

/** Notes when each call was let go, and with what. */
function watch(calls: readonly Promise<Decision>[]): { at: number; allowed: boolean; i: number }[] {
  const started = clock.now();
  const ends: { at: number; allowed: boolean; i: number }[] = [];
  calls.forEach((call, i) => {
    call.then(
      ({ allowed }) => ends.push({ at: clock.now() - started, allowed, i }),
      () => {},
    );
  });
  return ends;
}

describe('wait', () => {
  test('lets a leaky bucket out one by one, evenly, in the order they came, and refuses what overflows it', async () => {
    const limiter = make(leakyBucket({ limit: 10, per: '1s', capacity: 5 }));
    const ends = watch(Array.from({ length: 8 }, () => limiter.wait('k')));
    await pass(0);
    // The bucket holds 5, the one that has just left it among them.
    expect(ends.filter(({ allowed }) => !allowed).map(({ i }) => i)).toEqual([5, 6, 7]);
    await pass(1000);
    expect(ends.filter(({ allowed }) => allowed)).toEqual([
      { at: 0, allowed: true, i: 0 },
      { at: 100, allowed: true, i: 1 },
      { at: 200, allowed: true, i: 2 },
      { at: 300, allowed: true, i: 3 },
      { at: 400, allowed: true, i: 4 },
    ]);
  });

  test('says to one refused by a full bucket when there will be room', async () => {
    const limiter = make(leakyBucket({ limit: 10, per: '1s', capacity: 2 }));
    const waits = [limiter.wait('k'), limiter.wait('k'), limiter.wait('k')];
    await vi.advanceTimersByTimeAsync(0);
    const refused = await waits[2]!;
    expect(refused).toMatchObject({ allowed: false, retryAfterMs: 100 });
    await pass(100);
    const retried = limiter.wait('k');
    await pass(200);
    expect(await retried).toMatchObject({ allowed: true });
  });

  test('a bucket of one has no queue', async () => {
    const limiter = make(leakyBucket({ limit: 10, per: '1s', capacity: 1 }));
    expect((await limiter.wait('k')).allowed).toBe(true);
    expect(await limiter.wait('k')).toMatchObject({ allowed: false, retryAfterMs: 100 });
  });

  test('spaces leaky requests by their cost', async () => {
    const limiter = make(leakyBucket({ limit: 10, per: '1s', capacity: 10 }));
    const ends = watch([3, 1, 2].map((cost) => limiter.wait('k', { cost })));
    await pass(500);
    expect(ends.map(({ at, i }) => [at, i])).toEqual([
      [0, 0],
      [300, 1],
      [400, 2],
    ]);
  });

  test('keeps up a rate whose spaces are finer than timers', async () => {
    const limiter = make(leakyBucket({ limit: 5000, per: '1s' }));
    const ends = watch(Array.from({ length: 100 }, () => limiter.wait('k')));
    await pass(25);
    expect(ends).toHaveLength(100);
    for (const { at, i } of ends) expect(at).toBeGreaterThanOrEqual(Math.floor(i / 5) - 1);
  });

  test('a token bucket lets its burst go at once, and the rest as tokens come back', async () => {
    const limiter = make(tokenBucket({ limit: 10, per: '1s', burst: 3 }));
    const ends = watch(Array.from({ length: 5 }, () => limiter.wait('k')));
    await pass(250);
    expect(ends.map(({ at }) => at)).toEqual([0, 0, 0, 100, 200]);
  });

  test('works over windows, and over several limits at once', async () => {
    const limiter = make([slidingLog({ limit: 2, per: 100 }), fixedWindow({ limit: 3, per: 1000 })]);
    const ends = watch(Array.from({ length: 5 }, () => limiter.wait('k')));
    await pass(1200);
    expect(ends.map(({ at }) => at)).toEqual([0, 0, 100, 1000, 1000]);
  });

  test('never lets more go than the limit admits, nor out of turn, in random traces', async () => {
    const random = seededRandom(11);
    const limiter = make(tokenBucket({ limit: 20, per: 1000, burst: 4 }));
    const gone: number[] = [];
    const order: number[] = [];
    for (let i = 0; i < 150; i += 1) {
      void limiter.wait('k', { maxWait: '1h' }).then(({ allowed }) => {
        expect(allowed).toBe(true);
        gone.push(clock.now());
        order.push(i);
      });
      await pass(Math.floor(random() * 60));
    }
    await pass(5000);
    expect(order).toEqual(Array.from({ length: 150 }, (_, i) => i));
    for (let i = 4; i < gone.length; i += 1) {
      expect(gone[i]! - gone[i - 4]!).toBeGreaterThanOrEqual(50 - 1e-9);
    }
  });

  test('keys do not wait for each other', async () => {
    const limiter = make(tokenBucket({ limit: 1, per: '1s' }));
    limiter.check('a');
    const slow = limiter.wait('a');
    expect((await limiter.wait('b')).allowed).toBe(true);
    await pass(1000);
    expect((await slow).allowed).toBe(true);
  });

  test('refuses at once, charging nothing, where it could not be in time', async () => {
    const limiter = make(tokenBucket({ limit: 10, per: '1s', burst: 1 }));
    limiter.check('k');
    const first = limiter.wait('k', { maxWait: 100 });
    const second = limiter.wait('k', { maxWait: 200 });
    // Behind these two, it would take 300 ms.
    const leaky = make(leakyBucket({ limit: 10, per: '1s', capacity: 9 }));
    const queued = [leaky.wait('k'), leaky.wait('k'), leaky.wait('k')];
    expect(await leaky.wait('k', { maxWait: 299 })).toMatchObject({ allowed: false, retryAfterMs: 300 });
    expect(await limiter.wait('k', { maxWait: 99 })).toMatchObject({ allowed: false, retryAfterMs: 100 });
    expect(await limiter.wait('k', { cost: 2 })).toMatchObject({
      allowed: false,
      retryAfterMs: Number.POSITIVE_INFINITY,
    });
    await pass(300);
    expect((await Promise.all([first, second, ...queued])).map(({ allowed }) => allowed)).toEqual(
      new Array(5).fill(true),
    );
    expect(limiter.peek('k')).toMatchObject({ remaining: 1 });
  });

  test('refuses one whose time is up while it still stands in line', async () => {
    const limiter = make(fixedWindow({ limit: 10, per: 1000 }));
    limiter.check('k', { cost: 10 });
    const dear = limiter.wait('k', { cost: 10, maxWait: '10s' });
    // Both would fit the next windows by themselves.
    const late = limiter.wait('k', { cost: 1, maxWait: 1500 });
    const ends = watch([dear, late]);
    limiter.block('k', 5000);
    await pass(1499);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends).toEqual([{ at: 1500, allowed: false, i: 1 }]);
    expect(await late).toMatchObject({ policy: 'blocked', retryAfterMs: 3500 });
    await pass(3500);
    expect(ends[1]).toEqual({ at: 5000, allowed: true, i: 0 });
  });

  test('refuses one that would be late behind those who have gone before it, as soon as that is clear', async () => {
    const limiter = make(fixedWindow({ limit: 10, per: 1000 }));
    limiter.check('k', { cost: 10 });
    const dear = limiter.wait('k', { cost: 10, maxWait: '10s' });
    const late = limiter.wait('k', { cost: 1, maxWait: 1500 });
    const ends = watch([dear, late]);
    await pass(1000);
    expect(ends.map(({ allowed }) => allowed)).toEqual([true, false]);
    expect(await late).toMatchObject({ retryAfterMs: 1000, limits: [{ policy: '10-per-1s' }] });
  });

  test('does not wait with maxWait 0', async () => {
    const limiter = make(tokenBucket({ limit: 1, per: '1s' }));
    expect((await limiter.wait('k', { maxWait: 0 })).allowed).toBe(true);
    expect(await limiter.wait('k', { maxWait: 0 })).toMatchObject({ allowed: false, retryAfterMs: 1000 });
  });

  test('holds no more than maxWaiting, over all keys', async () => {
    const limiter = make(tokenBucket({ limit: 1, per: '1s' }), { maxWaiting: 2 });
    for (const key of ['a', 'b', 'c']) limiter.check(key);
    const held = [limiter.wait('a'), limiter.wait('b')];
    expect(await limiter.wait('a')).toMatchObject({ allowed: false });
    expect(await limiter.wait('c')).toMatchObject({ allowed: false, retryAfterMs: 1000 });
    // One who need not wait is not refused.
    expect(await limiter.wait('d')).toMatchObject({ allowed: true });
    expect(limiter.snapshot()).toMatchObject({ waiting: 2 });
    expect(limiter.metrics()).toContainEqual(
      expect.objectContaining({ name: 'weir_rate_limit_waiting', value: 2 }),
    );
    await pass(1000);
    expect((await Promise.all(held)).map(({ allowed }) => allowed)).toEqual([true, true]);
    expect(limiter.snapshot()).toMatchObject({ waiting: 0 });
    const none = make(tokenBucket({ limit: 1, per: '1s' }), { maxWaiting: 0 });
    expect((await none.wait('k')).allowed).toBe(true);
    expect((await none.wait('k')).allowed).toBe(false);
  });

  test('stops waiting when its signal aborts, and lets the next in line go sooner', async () => {
    const limiter = make(fixedWindow({ limit: 10, per: 1000 }));
    limiter.check('k', { cost: 5 });
    const gone = new AbortController();
    const first = limiter.wait('k', { cost: 10, signal: gone.signal });
    const ends = watch([first, limiter.wait('k', { cost: 5 })]);
    await pass(100);
    expect(ends).toEqual([]);
    gone.abort(new Error('client gone'));
    await expect(first).rejects.toThrow('client gone');
    await vi.advanceTimersByTimeAsync(0);
    expect(ends).toEqual([{ at: 100, allowed: true, i: 1 }]);
    expect(getEventListeners(gone.signal, 'abort')).toEqual([]);
  });

  test('leaves no listener behind, and rejects at once where the signal has aborted before', async () => {
    const limiter = make(tokenBucket({ limit: 1, per: 100 }));
    const { signal } = new AbortController();
    await limiter.wait('k', { signal });
    const second = limiter.wait('k', { signal });
    await pass(100);
    await second;
    await limiter.wait('k', { signal, maxWait: 0 });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const aborted = AbortSignal.abort(new Error('before'));
    await expect(limiter.wait('other', { signal: aborted })).rejects.toThrow('before');
    expect(limiter.peek('other').remaining).toBe(1);
  });

  test('on close, refuses all that wait, and goes on to work', async () => {
    const limiter = make(tokenBucket({ limit: 1, per: '1h' }));
    limiter.check('a');
    limiter.check('b');
    const waits = Promise.all([
      limiter.wait('a', { maxWait: '20d' }),
      limiter.wait('a', { maxWait: '20d' }),
      limiter.wait('b', { maxWait: '20d' }),
    ]);
    limiter[Symbol.dispose]();
    limiter.close();
    expect((await waits).map(({ allowed }) => allowed)).toEqual([false, false, false]);
    expect(limiter.check('c').allowed).toBe(true);
    expect((await limiter.wait('d')).allowed).toBe(true);
  });

  test('waits out a block, and a window longer than a timer can be set for', async () => {
    const limiter = make(tokenBucket({ limit: 5, per: '1s' }));
    limiter.block('k', 200);
    const blocked = limiter.wait('k');
    await pass(200);
    expect((await blocked).allowed).toBe(true);
    const yearly = make(slidingLog({ limit: 1, per: '60d' }));
    yearly.check('k');
    expect(await yearly.wait('k', { maxWait: '24d' })).toMatchObject({
      allowed: false,
      retryAfterMs: 60 * 86_400_000,
    });
    for (const maxWait of [-1, '25d', Number.NaN, 2 ** 31] as never[]) {
      await expect(limiter.wait('k', { maxWait })).rejects.toMatchObject({ option: 'maxWait' });
    }
  });

  test('counts what comes of it', async () => {
    const limiter = make(tokenBucket({ limit: 1, per: '1s' }));
    await limiter.wait('k');
    await limiter.wait('k', { maxWait: 1 });
    await limiter.wait('k', { maxWait: 1, shadow: true });
    expect(limiter.snapshot()).toMatchObject({ allowed: 1, refused: 1, shadowRefused: 1 });
  });

  test('paces calls to somebody else by host, as an outbound limiter', async () => {
    const outbound = make(leakyBucket({ limit: 5, per: '1s' }));
    const sent: [string, number][] = [];
    const call = async (host: string): Promise<void> => {
      const { allowed } = await outbound.wait(host, { maxWait: '10s' });
      if (allowed) sent.push([host, clock.now()]);
    };
    const calls = ['a', 'a', 'b', 'a', 'b'].map(call);
    await pass(500);
    await Promise.all(calls);
    expect(sent).toEqual([
      ['a', 0],
      ['b', 0],
      ['a', 200],
      ['b', 200],
      ['a', 400],
    ]);
  });
});

describe('memory', () => {
  test('keeps nothing of a key that nobody waits for any more', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const limiter = make(tokenBucket({ limit: 1000, per: '1h' }), { maxKeys: 10 });
    const wait = async (from: number): Promise<void> => {
      for (let i = from; i < from + 5000; i += 1) {
        await limiter.wait(Buffer.alloc(2000, `${i} `).toString('latin1'), { maxWait: 0 });
      }
    };
    await wait(0);
    gc();
    const before = process.memoryUsage().heapUsed;
    await wait(5000);
    gc();
    // 10 MB of keys went by.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(3_000_000);
  });
});

describe('a process', () => {
  test('is kept alive by one that waits, and by nothing else of a limiter', () => {
    const entry = new URL('../src/index.ts', import.meta.url).href;
    const script = `
      const { createLimiter, tokenBucket } = await import(${JSON.stringify(entry)});
      const limiter = createLimiter({ limits: tokenBucket({ limit: 1, per: 30 }) });
      limiter.check('k');
      limiter.wait('k').then(({ allowed }) => console.log('let go', allowed));
    `;
    const out = execFileSync(
      process.execPath,
      ['--conditions=@weir/source', '--input-type=module', '--eval', script],
      { encoding: 'utf8', timeout: 15_000 },
    );
    expect(out).toBe('let go true\n');
  });
});
