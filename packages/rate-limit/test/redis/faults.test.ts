import { Cluster, Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterEach, expect, test } from 'vitest';
import { describeRedis, type Server, Servers, until } from '../../../redis/test/servers.ts';
import { type AsyncLimiter, createLimiter, fixedWindow, type StoreLimiterOptions } from '../../src/index.ts';
import { redisStore } from '../../src/redis.ts';

const DAY = 86_400_000;
const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
  expect(unhandled).toEqual([]);
});

/** The deadline is 100 ms; the rest is for a busy machine. A client left to itself takes seconds. */
const SOON = 1000;

/** Decisions one after the other: what was said, and how long the slowest took. */
async function decide(limiter: AsyncLimiter, times: number, key = 'k') {
  const seen = { policies: new Set<string>(), allowed: 0, slowest: 0 };
  for (let i = 0; i < times; i += 1) {
    const started = performance.now();
    const { allowed, policy } = await limiter.check(key);
    seen.slowest = Math.max(seen.slowest, performance.now() - started);
    seen.policies.add(policy);
    if (allowed) seen.allowed += 1;
  }
  return seen;
}

describeRedis('a limiter over a Redis that fails', () => {
  const servers = new Servers();
  const limits = fixedWindow({ limit: 100_000, per: 30 * DAY, name: 'shared' });
  const over = (client: object, options: Partial<StoreLimiterOptions> = {}, mode?: 'batched' | 'leased') =>
    createLimiter({
      name: 'l',
      limits,
      onStoreError: 'closed',
      ...options,
      store: redisStore(client, mode === undefined ? {} : { mode }),
    });
  const ioredis = (port: number): Redis => {
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50 });
    client.on('error', () => {});
    closing.push(() => client.disconnect());
    return client;
  };
  const nodeRedis = async (port: number) => {
    const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: () => 50 } });
    client.on('error', () => {});
    await client.connect();
    closing.push(() => client.destroy());
    return client;
  };
  /** What Redis has counted. */
  const counted = async (limiter: AsyncLimiter): Promise<number> => {
    let remaining = 0;
    await until(async () => {
      const { policy, remaining: left } = await limiter.peek('k');
      remaining = left;
      return policy === 'shared';
    }, 'Redis to be back');
    return 100_000 - remaining;
  };

  for (const mode of [undefined, 'batched', 'leased'] as const) {
    test.each([
      ['ioredis', ioredis],
      ['node-redis', nodeRedis],
    ])(
      `that freezes decides in time, and by Redis again when it thaws (%s, ${mode ?? 'exact'})`,
      async (_, open) => {
        const server = await servers.single();
        const limiter = over(await open(server.port), {}, mode);
        await until(async () => (await limiter.peek('k')).policy === 'shared', 'a connection');
        // A lease is spent while it lasts: the key is a fresh one.
        server.freeze();
        const frozen = await decide(limiter, 20);
        expect(frozen).toMatchObject({ policies: new Set(['store-error']), allowed: 0 });
        expect(frozen.slowest).toBeLessThan(SOON);
        server.thaw();
        await until(async () => (await limiter.check('k')).policy === 'shared', 'recovery');
        await server.kill();
      },
    );
  }

  test.each([
    ['ioredis', ioredis],
    ['node-redis', nodeRedis],
  ])('that is killed and started again decides in time, and counts each once (%s)', async (_, open) => {
    const server = await servers.single();
    const limiter = over(await open(server.port));
    await until(async () => (await limiter.peek('k')).policy === 'shared', 'a connection');
    await server.kill();
    const killed = await decide(limiter, 20);
    expect(killed.policies).toEqual(new Set(['store-error']));
    expect(killed.slowest).toBeLessThan(SOON);
    await server.restart();
    await counted(limiter);
    await decide(limiter, 50);
    // Those that were refused were never sent, and those since were charged once.
    const allowed = 50;
    expect(await counted(limiter)).toBeLessThanOrEqual(allowed);
    await server.kill();
  });

  test('decides by counts of its own, and opens or closes, as it is told', async () => {
    const server = await servers.single();
    const client = ioredis(server.port);
    const small = fixedWindow({ limit: 3, per: 30 * DAY, name: 'small' });
    const local = over(client, { onStoreError: 'local', limits: small });
    const open = over(client, { onStoreError: 'open', limits: small });
    await until(async () => (await open.peek('k')).policy === 'small', 'a connection');
    await server.kill();
    expect(await decide(local, 8)).toMatchObject({ allowed: 3, policies: new Set(['small']) });
    expect(await decide(open, 8)).toMatchObject({ allowed: 8, policies: new Set(['store-error']) });
  });

  test('goes on when scripts are flushed under load, and counts each once', async () => {
    const server = await servers.single();
    const patient = (client: object, mode: 'exact' | 'batched'): AsyncLimiter =>
      createLimiter({
        name: 'l',
        limits,
        store: redisStore(client, { mode, timeout: '20s' }),
        storeTimeout: '20s',
      });
    const limiters = [
      patient(ioredis(server.port), 'exact'),
      patient(await nodeRedis(server.port), 'batched'),
    ];
    for (const limiter of limiters) await counted(limiter);
    let done = false;
    const flushing = (async () => {
      while (!done) await server.admin('script', 'flush');
    })();
    const seen = await Promise.all(Array.from({ length: 16 }, (_, i) => decide(limiters[i % 2]!, 100)));
    done = true;
    await flushing;
    for (const each of seen) expect(each).toMatchObject({ allowed: 100, policies: new Set(['shared']) });
    expect(await counted(limiters[0]!)).toBe(1600);
  });

  test('falls back when Redis is out of memory, and charges nothing', async () => {
    const server = await servers.single('--maxmemory-policy', 'noeviction');
    const limiter = over(ioredis(server.port));
    await counted(limiter);
    await server.admin('config', 'set', 'maxmemory', '1');
    expect((await decide(limiter, 20)).policies).toEqual(new Set(['store-error']));
    await server.admin('config', 'set', 'maxmemory', '0');
    expect(await counted(limiter)).toBe(0);
    await until(async () => (await limiter.check('k')).policy === 'shared', 'recovery');
  });

  test('falls back on a replica that may not be written', async () => {
    const server = await servers.single();
    const limiter = over(ioredis(server.port));
    await counted(limiter);
    await server.admin('replicaof', '127.0.0.1', (await servers.single()).port);
    expect((await decide(limiter, 20)).policies).toEqual(new Set(['store-error']));
    await server.admin('replicaof', 'no', 'one');
    await until(async () => (await limiter.check('k')).policy === 'shared', 'recovery');
  });

  test('asks no more than once for a key that it knows to be refused', async () => {
    const server: Server = await servers.single();
    const client = ioredis(server.port);
    const limiter = over(client, { limits: fixedWindow({ limit: 2, per: 30 * DAY, name: 'two' }) });
    await until(async () => (await limiter.peek('k')).policy === 'two', 'a connection');
    expect(await decide(limiter, 20)).toMatchObject({ allowed: 2 });
    await server.kill();
    const known = await limiter.check('k');
    expect(known).toMatchObject({ allowed: false, policy: 'two', remaining: 0 });
  });
});

describeRedis('a limiter over a Cluster', () => {
  const servers = new Servers();

  test('decides in time while a master is down, and by its replica then; batches keep to a slot', async () => {
    const cluster = await servers.cluster();
    const client = new Cluster(cluster.roots, { clusterRetryStrategy: () => 50 });
    client.on('error', () => {});
    closing.push(() => client.disconnect());
    const limiter = createLimiter({
      name: 'l',
      limits: [fixedWindow({ limit: 10, per: 30 * DAY, name: 'shared' })],
      store: redisStore(client, { mode: 'batched' }),
      onStoreError: 'closed',
    });
    await until(async () => (await limiter.peek('k')).policy === 'shared', 'a connection');
    const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);
    const all = async () =>
      Promise.all(
        keys.map(async (key) => {
          const started = performance.now();
          const { policy } = await limiter.check(key);
          return { policy, ms: performance.now() - started };
        }),
      );
    expect((await all()).every(({ policy }) => policy === 'shared')).toBe(true);
    await cluster.masters[0]!.kill();
    const said = [...(await all()), ...(await all())];
    expect(said.some(({ policy }) => policy === 'store-error')).toBe(true);
    expect(Math.max(...said.map(({ ms }) => ms))).toBeLessThan(SOON);
    await until(async () => (await all()).every(({ policy }) => policy === 'shared'), 'the replica', 200);
  }, 90_000);
});
