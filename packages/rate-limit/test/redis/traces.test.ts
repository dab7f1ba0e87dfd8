import { seededRandom } from '@weir/core/testing';
import { redisClient } from '@weir/redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRedis, Servers } from '../../../redis/test/servers.ts';
import {
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  stepOf,
  tokenBucket,
} from '../../src/index.ts';
import { type Column, inMs, ticksPerMs } from '../../src/internal/column.ts';
import { Counts } from '../../src/redis/counts.ts';
import { decideScript } from '../../src/redis/decide-script.ts';

/** The script with a clock that the test sets, under which keys outlive the test. */
const testTime = `
local now = tonumber(redis.call('GET', '{test}now'))
local function ttl(ticks) return '600000' end
`;
const RUNS = 60;
const STEPS = 60;

describeRedis('the script', () => {
  const servers = new Servers();
  let client: Redis;
  let counts: Counts;
  beforeAll(async () => {
    client = new Redis((await servers.single()).port, '127.0.0.1');
    counts = new Counts(redisClient(client), decideScript(testTime), 't:', 10_000);
  });
  afterAll(() => client.disconnect());

  test('decides as memory does, in random traces of every algorithm, several at once, to the last tick', async () => {
    const random = seededRandom(4);
    const below = (n: number): number => Math.floor(random() * n);
    const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
    const makers = [
      fixedWindow,
      slidingLog,
      slidingWindow,
      (o: { limit: number; per: number; name: string }) =>
        tokenBucket({ ...o, burst: 1 + below(Math.min(1e12, 3 * o.limit) - 1) }),
      (o: { limit: number; per: number; name: string }) =>
        leakyBucket({ ...o, capacity: 1 + below(Math.min(1e12, 3 * o.limit) - 1) }),
    ];
    let decided = 0;
    for (let run = 0; run < RUNS; run += 1) {
      const limits: Limit[] = Array.from({ length: 1 + below(3) }, (_, i) => {
        const make = makers[(run + i) % makers.length]!;
        const largest = make === slidingLog ? [1, 3, 50] : [1, 3, 50, 999, 1e6, 10 ** 12];
        return make({
          limit: pick(largest),
          per: pick([1, 7, 50, 1000, 86_400_000, 366 * 86_400_000]),
          name: `l${i}`,
        });
      });
      const time = { now: 1_790_000_000_000 * ticksPerMs + below(1e6), epoch: 0 };
      const columns: Column[] = limits.map((limit) => {
        const column = limit.column(time);
        column.grow(1);
        return column;
      });
      const key = { limiter: 'l', key: `k${run}`, limits, timeoutMs: 10_000 };
      const per = Math.max(...limits.map(({ perMs }) => perMs));
      let blockedUntil = 0;
      for (let step = 0; step < STEPS; step += 1) {
        time.now += pick([
          0,
          1,
          below(ticksPerMs),
          below(20 * ticksPerMs),
          below(per * ticksPerMs),
          below(3 * per * ticksPerMs),
        ]);
        const { now } = time;
        void client.set('{test}now', now);
        const capacity = Math.min(...limits.map((limit) => limit.capacity));
        const cost = pick([0, 1, 1, 1, 2, below(5), below(capacity + 2), capacity]);
        const what = pick(['c', 'c', 'c', 'c', 'p', 't', 'a', 'a', 'b'] as const);
        if (what === 'a') {
          const units = pick([-1, 1]) * cost;
          await counts.ask(counts.question(key, 'a', units));
          for (const column of columns) {
            if (units < 0) column.refund(0, -units);
            else column.charge(0, units);
          }
          continue;
        }
        if (what === 'b') {
          if (step % 4 > 0) continue;
          const ticks = below(5000);
          await counts.ask(counts.question(key, 'b', ticks));
          blockedUntil = now + ticks;
          continue;
        }
        const answer = await counts.ask(counts.question(key, what, cost));
        // `wait` first: it moves the origin of a bucket's time where that is due.
        const plain = columns.map((column) => column.wait(0, cost));
        const waits = what === 't' ? columns.map((column) => column.turn(0, cost)) : plain;
        const blocked = Math.max(0, blockedUntil - now);
        const charged = what !== 'p' && blocked === 0 && Math.max(...waits) === 0;
        if (charged) for (const column of columns) column.charge(0, cost);
        decided += 1;
        expect(answer, JSON.stringify([run, step, what, cost, limits])).toEqual({
          granted: charged ? cost : 0,
          now,
          blockedMs: inMs(blocked),
          limits: columns.map((column, i) => ({
            policy: limits[i]!.name,
            limit: limits[i]!.capacity,
            remaining: column.remaining(0),
            retryAfterMs: inMs(waits[i]!),
            resetMs: inMs(column.reset(0)),
            windowMs: limits[i]!.windowMs,
          })),
        });
      }
    }
    expect(decided).toBeGreaterThan(1500);
  });

  test('decides many at once as one after the other, with keys that come again and limits of all kinds', async () => {
    const random = seededRandom(6);
    const below = (n: number): number => Math.floor(random() * n);
    const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
    const sets: (readonly Limit[])[] = [
      [tokenBucket({ limit: 20, per: 1000 })],
      [leakyBucket({ limit: 3, per: 50, capacity: 9 })],
      [fixedWindow({ limit: 8, per: 300 })],
      [slidingLog({ limit: 5, per: 100, name: 'log' }), tokenBucket({ limit: 9, per: 100, name: 'bucket' })],
    ];
    const time = { now: 1_790_000_000_000 * ticksPerMs, epoch: 0 };
    const models = new Map<string, Column[]>();
    const columnsOf = (set: readonly Limit[], key: string): Column[] => {
      const id = `${sets.indexOf(set)}${key}`;
      const known = models.get(id);
      if (known !== undefined) return known;
      const columns = set.map((limit) => limit.column(time));
      for (const column of columns) column.grow(1);
      models.set(id, columns);
      return columns;
    };
    let [decided, charged, runs] = [0, 0, 0];
    for (let batch = 0; batch < 200; batch += 1) {
      time.now += below(60 * ticksPerMs);
      await client.set('{test}now', time.now);
      // Mostly buckets, in runs that ask the same: what goes the short way; others may follow.
      let [set, what, cost] = [sets[0]!, 'c' as 'c' | 'l' | 'p', 1];
      const asked = Array.from({ length: 1 + below(30) }, () => {
        if (random() < 0.2) {
          runs += 1;
          [set, what, cost] = [
            pick(batch % 2 ? sets.slice(0, 2) : sets),
            pick(['c', 'c', 'l', 'p']),
            below(4),
          ];
        }
        return { set, what, cost, key: pick(['a', 'b', 'c']) };
      });
      const answers = await counts.askMany(
        asked.map(({ set: limits, what, cost, key }) =>
          counts.question({ limiter: 'many', key, limits, timeoutMs: 10_000 }, what, cost, cost + 3),
        ),
        () => {},
      );
      for (const [i, { set, what, cost, key }] of asked.entries()) {
        const columns = columnsOf(set, key);
        const waits = columns.map((column) => column.wait(0, cost));
        let granted = 0;
        if (what !== 'p' && Math.max(...waits) === 0) {
          const most = Math.min(...columns.map((column) => column.remaining(0)));
          granted = what === 'c' ? cost : Math.min(cost + 3, Math.max(cost, Math.floor(most / 4)), most);
          for (const column of columns) column.charge(0, granted);
        }
        decided += 1;
        charged += granted;
        expect(answers[i], JSON.stringify([batch, i, asked])).toEqual({
          granted,
          now: time.now,
          blockedMs: 0,
          limits: columns.map((column, j) => ({
            policy: set[j]!.name,
            limit: set[j]!.capacity,
            remaining: column.remaining(0),
            retryAfterMs: inMs(waits[j]!),
            resetMs: inMs(column.reset(0)),
            windowMs: set[j]!.windowMs,
          })),
        });
      }
    }
    expect(decided).toBeGreaterThan(2000);
    expect(charged).toBeGreaterThan(500);
    expect(runs).toBeGreaterThan(300);
  });

  test('decides as stepOf does', async () => {
    const random = seededRandom(5);
    for (const limit of [
      fixedWindow({ limit: 5, per: 100 }),
      slidingLog({ limit: 5, per: 100 }),
      slidingWindow({ limit: 5, per: 100 }),
      tokenBucket({ limit: 7, per: 97, burst: 9 }),
    ]) {
      const step = stepOf(limit);
      const key = { limiter: 'step', key: limit.algorithm, limits: [limit], timeoutMs: 10_000 };
      let state: readonly number[] = [];
      let now = 1_790_000_000_000 * ticksPerMs;
      for (let i = 0; i < 100; i += 1) {
        now += Math.floor(random() * 40 * ticksPerMs);
        void client.set('{test}now', now);
        const cost = Math.floor(random() * 4);
        const [next, expected] = step(state, now, cost);
        state = next;
        expect((await counts.ask(counts.question(key, 'c', cost))).limits).toEqual([expected]);
      }
    }
  });

  test('forgives a bucket that a clock set back would keep empty', async () => {
    const limits = [tokenBucket({ limit: 10, per: 1000 })];
    const key = { limiter: 'back', key: 'k', limits, timeoutMs: 10_000 };
    const later = 1_790_003_600_000 * ticksPerMs;
    await client.set('{test}now', later);
    await counts.ask(counts.question(key, 'c', 10));
    await client.set('{test}now', later - 3_600_000 * ticksPerMs);
    const {
      limits: [state],
    } = await counts.ask(counts.question(key, 'c', 1));
    expect(state!.retryAfterMs).toBeLessThanOrEqual(1000);
  });
});
