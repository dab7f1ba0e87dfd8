import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRedis, type Server, Servers } from '../../../redis/test/servers.ts';
import { createLimiter, tokenBucket } from '../../src/index.ts';
import { redisStore } from '../../src/redis.ts';
import { algorithms } from '../contract.ts';
import type { Task } from './worker.ts';

const DAY = 86_400_000;

describeRedis('four processes with 64 in flight each', () => {
  const servers = new Servers();
  let server: Server;
  const workers: ChildProcess[] = [];
  beforeAll(async () => {
    server = await servers.single();
    const file = new URL('./worker.ts', import.meta.url);
    for (let i = 0; i < 4; i += 1) {
      workers.push(fork(file, { execArgv: ['--conditions=@weir/source', '--no-warnings'] }));
    }
    await Promise.all(workers.map((worker) => once(worker, 'message')));
  }, 60_000);
  afterAll(() => {
    for (const worker of workers) worker.kill('SIGKILL');
  });

  const admitted = async (
    task: Omit<Task, 'port' | 'inFlight' | 'attempts' | 'per'> & { attempts?: number },
  ): Promise<number> => {
    const counts = workers.map((worker) => once(worker, 'message'));
    for (const worker of workers) {
      worker.send({ port: server.port, per: 30 * DAY, attempts: 500, inFlight: 64, ...task } satisfies Task);
    }
    return (await Promise.all(counts)).reduce((sum, [count]) => sum + (count as number), 0);
  };

  for (const mode of ['exact', 'batched'] as const) {
    test.each(algorithms)(`admit exactly the limit of a %s, ${mode}`, async (name) => {
      const algorithm = name as Task['algorithm'];
      expect(await admitted({ mode, algorithm, limit: 1000, key: `${mode}-${name}` })).toBe(1000);
    });
  }

  test.each(algorithms)(
    'admit the limit of a %s less what the leases of others hold, leased',
    async (name) => {
      const algorithm = name as Task['algorithm'];
      const count = await admitted({ mode: 'leased', algorithm, limit: 1000, key: `leased-${name}` });
      expect(count).toBeLessThanOrEqual(1000);
      // Each of three others may hold a lease of a tenth.
      expect(count).toBeGreaterThanOrEqual(700);
    },
  );

  test('strand no more than their leases when they are killed', async () => {
    const key = 'stranded';
    const spent = await admitted({
      mode: 'leased',
      algorithm: 'tokenBucket',
      limit: 1000,
      key,
      attempts: 40,
    });
    expect(spent).toBe(160);
    for (const worker of workers) worker.kill('SIGKILL');
    const client = new Redis(server.port, '127.0.0.1');
    const limits = tokenBucket({ limit: 1000, per: 30 * DAY });
    const limiter = createLimiter({
      name: 'tokenBucket',
      limits,
      store: redisStore(client, { timeout: '20s' }),
    });
    const { remaining } = await limiter.peek(key);
    expect(remaining).toBeLessThanOrEqual(1000 - 160);
    expect(remaining).toBeGreaterThanOrEqual(1000 - 160 - 4 * 100);
    client.disconnect();
  });

  test('leave a time to live on every key', async () => {
    const keys = (await server.admin('keys', '*')) as string[];
    expect(keys.length).toBeGreaterThanOrEqual(15);
    for (const key of keys) {
      expect(await server.admin('pttl', key)).toBeGreaterThan(0);
      // The limiter's name and the key are not in it.
      expect(key).toMatch(/^weir:limit:\{[\w-]{22}\}[\w-]{8}(:0)?$/);
    }
  });
});
