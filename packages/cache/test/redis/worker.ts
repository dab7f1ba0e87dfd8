import { Redis } from 'ioredis';
import { createCache } from '../../src/index.ts';
import { redisBus, redisTier } from '../../src/redis.ts';

// One process of several that share a cache. Told what to do by the test.

export interface Task {
  readonly key: string;
  readonly callers: number;
  readonly loadMs: number;
}

const client = new Redis(Number(process.argv[2]), '127.0.0.1');
const cache = createCache({
  name: 'shared',
  ttl: '1m',
  remote: redisTier(client, { timeout: '20s' }),
  bus: redisBus(client),
  remoteTimeout: '20s',
  lockWait: '20s',
});

async function work({ key, callers, loadMs }: Task): Promise<readonly [loads: number, values: number]> {
  let loads = 0;
  const loader = async (): Promise<string> => {
    loads += 1;
    await new Promise((resolve) => setTimeout(resolve, loadMs));
    return `${process.pid}`;
  };
  const values = await Promise.all(Array.from({ length: callers }, () => cache.getOrLoad(key, loader)));
  return [loads, new Set(values).size];
}

process.on('message', (task: Task) => {
  work(task).then((result) => process.send!(result));
});
// Until the bus is up memory may be dropped, and with it what is being loaded.
while (cache.snapshot().bus !== 'up') await new Promise((resolve) => setTimeout(resolve, 5));
process.send!('ready');
