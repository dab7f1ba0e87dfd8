import { type ManualClock, seededRandom } from '@weir/core/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type AsyncLimiter,
  createLimiter,
  fixedWindow,
  type Limit,
  type Limits,
  leakyBucket,
  type Store,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../src/index.ts';

export interface StoreUnderTest {
  /** Opens one more view of the same counts, as another process would. */
  connect(): Store;
  /** Lets the store's clock go on by at least so much. */
  pass(ms: number): Promise<void>;
  /** The clock, if the store lives by one that tests set: decisions are then compared with those of memory. */
  readonly clock?: ManualClock;
  close(): Promise<void>;
}

export const algorithms: readonly [name: string, make: (limit: number, per: number) => Limit][] = [
  ['fixedWindow', (limit, per) => fixedWindow({ limit, per })],
  ['slidingLog', (limit, per) => slidingLog({ limit, per })],
  ['slidingWindow', (limit, per) => slidingWindow({ limit, per })],
  ['tokenBucket', (limit, per) => tokenBucket({ limit, per })],
  ['leakyBucket', (limit, per) => leakyBucket({ limit, per })],
];

const hour = 3_600_000;
let made = 0;

/** What every store must do, seen through the limiter that is made over it. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}, as a store`, () => {
    let under: StoreUnderTest;
    const limiters: AsyncLimiter[] = [];
    beforeEach(async () => {
      under = await open();
    });
    afterEach(async () => {
      for (const limiter of limiters.splice(0)) await limiter.close();
      await under.close();
    });

    /** A failing store must not be mistaken for a deciding one: its answers are refused with a policy of their own. */
    const limiterOf = (limits: Limits | ((key: string) => Limits), limiterName?: string): AsyncLimiter => {
      made += 1;
      const limiter = createLimiter({
        name: limiterName ?? `contract-${made}`,
        limits,
        store: under.connect(),
        onStoreError: 'closed',
        storeTimeout: '10s',
      });
      limiters.push(limiter);
      return limiter;
    };

    describe.each(algorithms)('%s', (_, make) => {
      test('admits its limit and no more', async () => {
        const limiter = limiterOf(make(3, 24 * hour));
        const said = [];
        for (let i = 0; i < 5; i += 1) said.push(await limiter.check('k'));
        expect(said.map(({ allowed }) => allowed)).toEqual([true, true, true, false, false]);
        expect(said.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0, 0]);
        expect(said[3]).toMatchObject({ limit: 3, policy: '3-per-1d' });
        expect(said[3]!.retryAfterMs).toBeGreaterThan(0);
        expect(said[3]!.limits).toHaveLength(1);
        expect(said[3]!.limits[0]).toMatchObject({ policy: '3-per-1d', limit: 3, remaining: 0 });
      });

      test('admits a retry when it said it would', async () => {
        const limiter = limiterOf(make(1, 300));
        let refused = 0;
        for (let i = 0; i < 4; i += 1) {
          const { allowed, retryAfterMs } = await limiter.check('k');
          if (allowed) continue;
          refused += 1;
          expect(retryAfterMs).toBeGreaterThan(0);
          expect(retryAfterMs).toBeLessThanOrEqual(600);
          await under.pass(retryAfterMs);
          expect(await limiter.check('k')).toMatchObject({ allowed: true, retryAfterMs: 0 });
        }
        expect(refused).toBeGreaterThan(0);
      });

      test('charges a cost that fits, and nothing for one that does not', async () => {
        const limiter = limiterOf(make(10, 24 * hour));
        expect(await limiter.check('k', { cost: 8 })).toMatchObject({ allowed: true, remaining: 2 });
        expect(await limiter.check('k', { cost: 5 })).toMatchObject({ allowed: false, remaining: 2 });
        expect(await limiter.check('k', { cost: 0 })).toMatchObject({ allowed: true, remaining: 2 });
        expect(await limiter.check('k', { cost: 1 })).toMatchObject({ allowed: true, remaining: 1 });
        expect(await limiter.check('k', { cost: 11 })).toMatchObject({
          allowed: false,
          retryAfterMs: Number.POSITIVE_INFINITY,
        });
      });

      test('peeks without charging', async () => {
        const limiter = limiterOf(make(2, 24 * hour));
        for (let i = 0; i < 3; i += 1) {
          expect(await limiter.peek('k')).toMatchObject({ allowed: true, remaining: 2, resetMs: 0 });
        }
        await limiter.check('k', { cost: 2 });
        expect(await limiter.peek('k')).toMatchObject({ allowed: false, remaining: 0 });
        expect(await limiter.peek('k', { cost: 0 })).toMatchObject({ allowed: true });
      });

      test('takes charges and refunds that nobody asked for', async () => {
        const limiter = limiterOf(make(10, 24 * hour));
        await limiter.check('k', { cost: 4 });
        await limiter.refund('k', 3);
        expect(await limiter.peek('k')).toMatchObject({ remaining: 9 });
        await limiter.refund('k', 1000);
        expect(await limiter.peek('k')).toMatchObject({ remaining: 10 });
        await limiter.charge('k', 7);
        expect(await limiter.peek('k')).toMatchObject({ remaining: 3 });
        await limiter.charge('k', 9);
        expect(await limiter.peek('k')).toMatchObject({ allowed: false, remaining: 0 });
        // In debt by 6: a refund of as much leaves nothing.
        await limiter.refund('k', 6);
        expect(await limiter.peek('k')).toMatchObject({ remaining: 0 });
        await limiter.refund('k', 1);
        expect(await limiter.peek('k')).toMatchObject({ remaining: 1 });
        await limiter.charge('k', 1e9);
        await limiter.refund('k', 20);
        expect(await limiter.peek('k')).toMatchObject({ remaining: 10 });
      });

      test('admits exactly its limit to 64 at a time on several connections', async () => {
        const shared = Array.from({ length: 4 }, () => limiterOf(make(100, 24 * hour), 'many'));
        let admitted = 0;
        const work = async (limiter: AsyncLimiter): Promise<void> => {
          for (let i = 0; i < 5; i += 1) if ((await limiter.check('k')).allowed) admitted += 1;
        };
        await Promise.all(Array.from({ length: 64 }, (_each, i) => work(shared[i % 4]!)));
        expect(admitted).toBe(100);
      });
    });

    test('charges all limits or none', async () => {
      const limiter = limiterOf([
        tokenBucket({ limit: 10, per: 24 * hour, name: 'wide' }),
        fixedWindow({ limit: 3, per: 24 * hour, name: 'narrow' }),
        slidingLog({ limit: 5, per: 24 * hour, name: 'log' }),
      ]);
      for (let i = 0; i < 3; i += 1) expect((await limiter.check('k')).allowed).toBe(true);
      for (let i = 0; i < 3; i += 1) {
        const { allowed, policy, limits } = await limiter.check('k');
        expect({ allowed, policy }).toEqual({ allowed: false, policy: 'narrow' });
        expect(limits.map(({ policy: each, remaining }) => [each, remaining])).toEqual([
          ['wide', 7],
          ['narrow', 0],
          ['log', 2],
        ]);
      }
    });

    test('gives a function of limits its say for each key', async () => {
      const plans = { free: tokenBucket({ limit: 1, per: hour }), pro: tokenBucket({ limit: 5, per: hour }) };
      const limiter = limiterOf((key) => (key.startsWith('pro') ? plans.pro : plans.free));
      expect(await limiter.check('pro-a')).toMatchObject({ limit: 5, remaining: 4 });
      expect(await limiter.check('a')).toMatchObject({ limit: 1, remaining: 0 });
    });

    test('blocks until time is up, or until reset', async () => {
      const limiter = limiterOf([
        tokenBucket({ limit: 5, per: 24 * hour }),
        fixedWindow({ limit: 9, per: hour }),
      ]);
      await limiter.block('k', 400);
      const blocked = await limiter.check('k');
      expect(blocked).toMatchObject({ allowed: false, remaining: 0, policy: 'blocked' });
      expect(blocked.retryAfterMs).toBeGreaterThan(0);
      expect(blocked.retryAfterMs).toBeLessThanOrEqual(400);
      expect(blocked.limits.map(({ remaining }) => remaining)).toEqual([5, 9]);
      expect((await limiter.peek('k')).policy).toBe('blocked');
      await under.pass(blocked.retryAfterMs);
      expect(await limiter.check('k')).toMatchObject({ allowed: true });

      await limiter.block('k', Number.POSITIVE_INFINITY);
      expect(await limiter.check('k')).toMatchObject({
        allowed: false,
        retryAfterMs: Number.POSITIVE_INFINITY,
      });
      expect(await limiter.check('other')).toMatchObject({ allowed: true });
      await limiter.reset('k');
      expect(await limiter.check('k')).toMatchObject({ allowed: true, remaining: 4 });

      await limiter.block('k', Number.POSITIVE_INFINITY);
      await limiter.block('k', 50);
      const replaced = await limiter.peek('k');
      expect(replaced.retryAfterMs).toBeLessThanOrEqual(50);
    });

    test('forgets a key on reset, and that key alone', async () => {
      const limiter = limiterOf([
        slidingLog({ limit: 2, per: hour }),
        slidingWindow({ limit: 2, per: 2 * hour }),
      ]);
      await limiter.check('a', { cost: 2 });
      await limiter.check('b', { cost: 2 });
      await limiter.reset('a');
      await limiter.reset('never seen');
      expect(await limiter.check('a', { cost: 2 })).toMatchObject({ allowed: true });
      expect(await limiter.check('b')).toMatchObject({ allowed: false });
    });

    test('keeps keys apart, whatever is in them', async () => {
      const limiter = limiterOf(fixedWindow({ limit: 1, per: 24 * hour }));
      const keys = [
        '',
        ' ',
        '0',
        '__proto__',
        'constructor',
        'a:b',
        'a',
        'b',
        '{a}',
        '{}',
        '}{',
        'k\n',
        'k\r\n',
        'k\0',
      ];
      keys.push(
        'ключ',
        '鍵',
        '\u{1f511}',
        '\ud800',
        'x'.repeat(1_000_000),
        `${'x'.repeat(999_999)}y`,
        '*',
        'k*',
        '%s',
      );
      for (const key of keys)
        expect(await limiter.check(key), key.slice(0, 20)).toMatchObject({ allowed: true });
      for (const key of keys)
        expect(await limiter.check(key), key.slice(0, 20)).toMatchObject({ allowed: false });
    });

    test('keeps limiters apart by name, also where names and keys could be run together', async () => {
      const limit = fixedWindow({ limit: 1, per: 24 * hour });
      for (const [limiterName, key] of [
        ['a', 'b:c'],
        ['a:b', 'c'],
        ['a:b:c', ''],
      ] as const) {
        expect(await limiterOf(limit, limiterName).check(key)).toMatchObject({ allowed: true });
      }
      expect(await limiterOf(limit, 'a').check('b:c')).toMatchObject({ allowed: false });
    });

    test('lets a leaky bucket out one by one', async () => {
      const limiter = limiterOf(leakyBucket({ limit: 1, per: 50, capacity: 4 }));
      const waits = Array.from({ length: 3 }, () => limiter.wait('k', { maxWait: '10s' }));
      for (let i = 0; i < 3; i += 1) {
        const [, first] = await Promise.all([under.pass(50), waits[i]]);
        expect(first).toMatchObject({ allowed: true });
      }
      expect(await limiter.wait('k', { cost: 5 })).toMatchObject({ allowed: false });
    });

    test('decides as memory does, where its clock can be set', async () => {
      const { clock } = under;
      if (clock === undefined) return;
      const random = seededRandom(8);
      for (const [, make] of algorithms) {
        const limits = [make(7, 50), tokenBucket({ limit: 30, per: 400, burst: 20, name: 'second' })];
        const limiter = limiterOf(limits);
        const memory = createLimiter({ limits, clock });
        for (let i = 0; i < 300; i += 1) {
          await under.pass(Math.floor(random() * 12));
          const cost = Math.floor(random() * 4);
          const dice = random();
          if (dice < 0.1) {
            await limiter.refund('k', cost);
            memory.refund('k', cost);
          } else if (dice < 0.2) {
            await limiter.charge('k', cost);
            memory.charge('k', cost);
          } else expect(await limiter.check('k', { cost })).toEqual(memory.check('k', { cost }));
        }
      }
    });
  });
}
