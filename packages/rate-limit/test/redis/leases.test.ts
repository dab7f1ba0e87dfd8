import { ManualClock, seededRandom } from '@weir/core/testing';
import { redisClient } from '@weir/redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRedis, Servers } from '../../../redis/test/servers.ts';
import { fixedWindow, type Limit, type StoreAnswer, tokenBucket } from '../../src/index.ts';
import { ticksPerMs } from '../../src/internal/column.ts';
import { Batcher } from '../../src/redis/batcher.ts';
import { Counts } from '../../src/redis/counts.ts';
import { decideScript } from '../../src/redis/decide-script.ts';
import { Leases } from '../../src/redis/leases.ts';

/** The script with a clock that the test sets, under which keys outlive the test. */
const testTime = `
local now = tonumber(redis.call('GET', '{test}now'))
local function ttl(ticks) return '600000' end
`;
const allows = ({ limits, blockedMs }: StoreAnswer): boolean =>
  blockedMs === 0 && limits.every(({ retryAfterMs }) => retryAfterMs === 0);

describeRedis('leases', () => {
  const servers = new Servers();
  let client: Redis;
  const script = decideScript(testTime);
  beforeAll(async () => {
    client = new Redis((await servers.single()).port, '127.0.0.1');
  });
  afterAll(() => client.disconnect());

  let made = 0;
  /** Some processes, one clock for them and for Redis, and one key. */
  const processes = (n: number, limits: readonly Limit[], forMs = 1000) => {
    made += 1;
    const clock = new ManualClock();
    const counts = new Counts(redisClient(client), script, `lease-${made}:`, 10_000);
    const all = Array.from(
      { length: n },
      () => new Leases(counts, new Batcher(counts, false), { max: 100, share: 0.1, forMs }, clock),
    );
    const key = { limiter: 'l', key: 'k', limits, timeoutMs: 10_000 };
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await client.set('{test}now', Math.floor((1_790_000_000_000 + clock.now()) * ticksPerMs));
    };
    const take = async (process: number, cost = 1): Promise<StoreAnswer> =>
      all[process]!.take({ ...key, cost, mode: 'charge' })!;
    const burst = async (process: number, size: number): Promise<number> =>
      (await Promise.all(Array.from({ length: size }, () => take(process)))).filter(allows).length;
    const left = async (): Promise<number> =>
      (await counts.ask(counts.question(key, 'p', 0))).limits[0]!.remaining;
    return { clock, all, key, counts, pass, take, burst, left };
  };

  test('admit no more than b + rT from the start, and in no span more than leases of N processes above', async () => {
    const random = seededRandom(3);
    const below = (n: number): number => Math.floor(random() * n);
    let most = 0;
    for (let run = 0; run < 12; run += 1) {
      const [n, b, perMs, forMs] = [1 + below(6), 1000, 0.2 + random(), 200 + below(1000)];
      const limit = Math.round(perMs * 1000);
      const r = limit / 1000;
      const { pass, burst, clock } = processes(n, [tokenBucket({ limit, per: '1s', burst: b })], forMs);
      await pass(0);
      const seen: [at: number, units: number][] = [];
      for (let step = 0; step < 60; step += 1) {
        // Phases: wait for the bucket to fill while leases are held, then everybody spends.
        const idle = step % 12 === 11;
        await pass(idle ? 50 + below(forMs) : below(30));
        for (let process = 0; process < n; process += 1) {
          if (idle || random() < 0.5)
            seen.push([clock.now(), await burst(process, 1 + below(idle ? 400 : 60))]);
        }
      }
      const held = Math.min(n * 100, r * forMs);
      for (let i = 0; i < seen.length; i += 1) {
        let sum = 0;
        for (let j = i; j < seen.length; j += 1) {
          sum += seen[j]![1];
          const span = seen[j]![0] - seen[i]![0];
          // A token more, for the part of one that is on its way.
          expect(sum).toBeLessThanOrEqual(b + r * span + held + 1);
          if (i === 0) expect(sum).toBeLessThanOrEqual(b + r * seen[j]![0] + 1);
          most = Math.max(most, (sum - b - r * span) / held);
        }
      }
    }
    // The adversary is one: without leases nothing would be above 0.
    expect(most).toBeGreaterThan(0);
  });

  test('are given back on close, and when they run out', async () => {
    const { all, pass, burst, left, key } = processes(3, [tokenBucket({ limit: 1000, per: '10d' })]);
    await pass(0);
    for (let process = 0; process < 3; process += 1) {
      for (let i = 0; i < 10; i += 1) {
        await burst(process, 7);
        await pass(10);
      }
    }
    const spent = 3 * 10 * 7;
    expect(await left()).toBeLessThan(1000 - spent);
    await all[0]!.close('l');
    await all[1]!.close('l');
    await pass(1100);
    // The third is told by its next request.
    await all[2]!.take({ ...key, cost: 0, mode: 'charge' });
    await expect.poll(left).toBeGreaterThanOrEqual(1000 - spent - 100);
    await all[2]!.close('l');
    await expect.poll(left).toBe(1000 - spent);
  });

  test('strand no more than one each when processes die', async () => {
    const { pass, burst, left } = processes(4, [tokenBucket({ limit: 1000, per: '10d' })]);
    await pass(0);
    let spent = 0;
    for (let process = 0; process < 4; process += 1) {
      for (let i = 0; i < 8; i += 1) {
        spent += await burst(process, 9);
        await pass(10);
      }
    }
    expect(spent).toBe(4 * 8 * 9);
    expect(await left()).toBeGreaterThanOrEqual(1000 - spent - 4 * 100);
  });

  test('are not spent in the window after theirs', async () => {
    const { pass, burst, take } = processes(2, [fixedWindow({ limit: 1000, per: '1s' })], 60_000);
    // The window of this test ends after 1000 ms.
    await pass(0);
    for (let i = 0; i < 10; i += 1) {
      await burst(0, 20);
      await pass(20);
    }
    await pass(800);
    let admitted = 0;
    while (allows(await take(1, 50))) admitted += 50;
    admitted += await burst(0, 100);
    expect(admitted).toBeLessThanOrEqual(1000);
  });

  test('ask Redis for a saturated limit once in 20 ms, not for each request', async () => {
    const { pass, burst, all, key } = processes(1, [tokenBucket({ limit: 1000, per: '1s', burst: 100 })]);
    await pass(0);
    let calls = 0;
    const send = client.sendCommand;
    client.sendCommand = (command, ...rest) => {
      if (command.name === 'evalsha') calls += 1;
      return send.call(client, command, ...rest);
    };
    let admitted = 0;
    for (let i = 0; i < 100; i += 1) {
      await pass(5);
      admitted += await burst(0, 50);
    }
    client.sendCommand = send;
    // 500 ms: 100 of the bucket, 500 that came since.
    expect(admitted).toBeLessThanOrEqual(600);
    expect(admitted).toBeGreaterThan(480);
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThan(100);
    const refused = (await all[0]!.take({ ...key, cost: 200, mode: 'charge' }))!;
    expect(refused.limits[0]!.retryAfterMs).toBe(Number.POSITIVE_INFINITY);
  });

  test('are given back when they come after the deadline', async () => {
    const asked: string[][] = [];
    let late: (reply: Uint8Array) => void = () => {};
    const slow = {
      run: (_: unknown, _keys: string[], args: string[], options: { late?: typeof late }) => {
        asked.push(args);
        late = options.late ?? late;
        return Promise.reject(new Error('too late'));
      },
    };
    const counts = new Counts(slow as never, script, 'late:', 50);
    const settings = { max: 100, share: 0.1, forMs: 1000 };
    const leases = new Leases(counts, new Batcher(counts, false), settings, new ManualClock());
    const limits = [tokenBucket({ limit: 1000, per: '1s' })];
    const request = { limiter: 'l', key: 'k', limits, timeoutMs: 50, cost: 3, mode: 'charge' } as const;
    await expect(leases.take(request)).rejects.toThrow('too late');
    const reply = new DataView(new ArrayBuffer(48));
    for (const [i, number] of [0, 30, 1_832_960_000_000_000, 900, 0, 100].entries())
      reply.setFloat64(8 * i, number);
    late(new Uint8Array(reply.buffer));
    await expect.poll(() => asked.length).toBe(2);
    expect(asked.map((args) => args.slice(1, 4))).toEqual([
      ['l', '3', '3'],
      ['r', '30', '1832960000000000'],
    ]);
  });

  test('leave limits too small for them to a call for each decision', async () => {
    const { all, key } = processes(1, [tokenBucket({ limit: 19, per: '1s' })]);
    expect(all[0]!.take({ ...key, cost: 1, mode: 'charge' })).toBeUndefined();
  });
});
