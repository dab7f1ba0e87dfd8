import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { seededRandom } from '@weir/core/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRedis, type Server, Servers, until } from '../../../redis/test/servers.ts';
import { createCache, type SharedCache } from '../../src/index.ts';
import { redisBus, redisTier } from '../../src/redis.ts';
import type { Result, Task } from './worker.ts';

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));
/** Only to set the pace of a load. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeRedis('caches of several processes', () => {
  const servers = new Servers();
  let server: Server;
  const clients: Redis[] = [];
  const workers: ChildProcess[] = [];
  const connect = (port = server.port): Redis => {
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 20 });
    client.on('error', () => {});
    clients.push(client);
    return client;
  };
  beforeAll(async () => {
    server = await servers.single();
  });
  afterAll(() => {
    for (const worker of workers) worker.kill('SIGKILL');
    for (const client of clients) client.disconnect();
    expect(unhandled).toEqual([]);
  });

  test('load a cold key once for 4 processes with 250 callers each', async () => {
    const file = new URL('./worker.ts', import.meta.url);
    for (let i = 0; i < 4; i += 1) {
      const execArgv = ['--conditions=@weir/source', '--no-warnings'];
      workers.push(fork(file, [String(server.port)], { execArgv }));
    }
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const heard = async (): Promise<unknown[]> =>
      (await Promise.all(workers.map((worker) => once(worker, 'message')))).map(([message]) => message);
    for (let round = 0; round < 3; round += 1) {
      const asked = heard();
      for (const worker of workers) worker.send({ key: `cold-${round}`, callers: 250 } satisfies Task);
      // All four have found nothing: from now on the loader may have its value.
      expect(new Set(await asked)).toEqual(new Set(['asked']));
      const results = heard();
      for (const worker of workers) worker.send('finish');
      const all = (await results) as Result[];
      expect(all.reduce((sum, { loads }) => sum + loads, 0)).toBe(1);
      expect(all.map(({ values }) => values)).toEqual([1, 1, 1, 1]);
    }
  }, 60_000);

  test('keep no value older than a deletion, in 10,000 runs of a deletion against a load elsewhere', async () => {
    const random = seededRandom(9);
    const [a, b] = [connect(), connect()].map((client) => redisTier(client, { timeout: '20s' }));
    const options = { name: 'race', ttl: '1m', lockWait: 0, remoteTimeout: '20s', max: 20_000 } as const;
    const caches: SharedCache[] = [a!, b!].map((remote) => createCache({ ...options, remote }));
    const truth = new Map<string, number>();
    let stale = 0;
    let overtaken = 0;
    const turns = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    const run = async (i: number): Promise<void> => {
      const key = `k${i}`;
      truth.set(key, 0);
      const [first, second] = random() < 0.5 ? caches : caches.toReversed();
      const [before, during, after] = [0, 0, 0].map(() => Math.floor(random() * 6));
      const load = first!.getOrLoad(key, async () => {
        const value = truth.get(key)!;
        await turns(during!);
        return value;
      });
      await turns(before!);
      truth.set(key, 1);
      const deleted = second!.delete(key);
      await turns(after!);
      await Promise.all([load, deleted]);
      // What Redis has, seen through a process that has nothing in memory.
      const left = await second!.get<number>(key);
      if (left === 0) stale += 1;
      if (left === undefined) overtaken += 1;
    };
    for (let i = 0; i < 10_000; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => run(i + j)));
    }
    expect(stale).toBe(0);
    // Deletions did come in between.
    expect(overtaken).toBeGreaterThan(100);
    for (const cache of caches) await cache.close();
  }, 60_000);

  test('hear of each other’s invalidations', async () => {
    const [a, b] = [connect(), connect()].map((client) =>
      createCache({
        name: 'heard',
        ttl: '1m',
        remote: redisTier(client, { timeout: '10s' }),
        bus: redisBus(client, { timeout: '10s' }),
        remoteTimeout: '10s',
      }),
    ) as [SharedCache, SharedCache];
    // Both subscribed: then a value stays in memory, and an invalidation takes it away.
    const version = { n: 0 };
    await until(async () => {
      version.n += 1;
      await b.getOrLoad('k', () => version.n);
      await a.delete('k');
      await until(() => b.peek('k') === undefined, 'the message', 1);
      return true;
    }, 'the bus');
    await b.getOrLoad('k', () => 'old', { tags: ['t'] });
    await a.invalidateTags('t');
    await until(() => b.peek('k') === undefined, 'the message', 1);
    expect(await b.getOrLoad('k', () => 'new')).toBe('new');
    await a.close();
    await b.close();
  });

  test('serve nothing stale for longer than `suspectTtl` when the bus breaks under 1,000 messages a second', async () => {
    const suspectTtl = 300;
    const [writer, reader] = [connect(), connect()].map((client) =>
      createCache({
        name: 'broken',
        ttl: '1h',
        bus: redisBus(client, { timeout: '10s' }),
        remoteTimeout: '10s',
        suspectTtl,
      }),
    ) as [SharedCache, SharedCache];
    let truth = 0;
    const changedAt: number[] = [0];
    let worst = 0;
    let [reads, lost] = [0, 0];
    let done = false;
    const write = async (): Promise<void> => {
      while (!done) {
        // 10 at once every 10 ms.
        for (let i = 0; i < 10; i += 1) {
          truth += 1;
          changedAt[truth] = performance.now();
          writer.delete(`k${truth % 20}`).catch(() => {});
        }
        await pause(10);
      }
    };
    const read = async (): Promise<void> => {
      while (!done) {
        for (let k = 0; k < 20; k += 1) {
          // The last version of this key, and what the reader believes.
          const last = truth - ((truth - k + 20) % 20);
          const seen = (await reader.getOrLoad(`k${k}`, () => truth)) as number;
          reads += 1;
          if (seen < last) worst = Math.max(worst, performance.now() - changedAt[Math.min(last, seen + 20)]!);
        }
        await pause(2);
      }
    };
    const work = [write(), read()];
    // Both hear each other, and have been at it for a while.
    const busy = async (): Promise<void> => {
      const [read, written] = [reads + 400, truth + 200];
      const up = (): boolean => [reader, writer].every((cache) => cache.snapshot().bus === 'up');
      await until(() => reads > read && truth > written && up(), 'reads while the bus is up');
    };
    for (let i = 0; i < 4; i += 1) {
      await busy();
      lost += Number(await server.admin('client', 'kill', 'type', 'pubsub'));
    }
    await busy();
    done = true;
    await Promise.all(work);
    expect(lost).toBeGreaterThan(2);
    expect(reads).toBeGreaterThan(500);
    // What was lost is dropped at the latest with `suspectTtl`; the rest is for a busy machine.
    expect(worst).toBeLessThan(suspectTtl + 1500);
    await writer.close();
    await reader.close();
  }, 30_000);

  test('load a cold key in time while Redis is frozen, and use it again when it thaws', async () => {
    const frozen = await servers.single();
    const client = connect(frozen.port);
    const cache = createCache({ name: 'f', ttl: '1m', remote: redisTier(client), bus: redisBus(client) });
    await until(async () => (await client.ping()) === 'PONG', 'a connection');
    frozen.freeze();
    for (let i = 0; i < 12; i += 1) {
      const started = performance.now();
      expect(await cache.getOrLoad(`cold-${i}`, () => i)).toBe(i);
      // A read and a write of 100 ms each at most, then none; the rest is for a busy machine.
      expect(performance.now() - started).toBeLessThan(1500);
    }
    await expect(cache.delete('cold-1')).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_REMOTE' });
    frozen.thaw();
    await until(async () => {
      await cache.set('again', 1);
      return true;
    }, 'recovery');
    const other = createCache({
      name: 'f',
      ttl: '1m',
      remote: redisTier(connect(frozen.port), { timeout: '10s' }),
      remoteTimeout: '10s',
    });
    expect(await other.getOrLoad('again', () => 2)).toBe(1);
    await cache.close();
    await other.close();
  }, 30_000);
});
