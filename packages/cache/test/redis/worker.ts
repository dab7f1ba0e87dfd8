import { Redis } from 'ioredis';
import { createCache } from '../../src/index.ts';
import { redisBus, redisTier } from '../../src/redis.ts';

// One process of several that share a cache. Told what to do by the test.

/** Asks for a key; the loader, if it is called, waits for 'finish'. */
export interface Task {
  readonly key: string;
  readonly callers: number;
}

/** How often the loader was called, and how many different values came. */
export interface Result {
  readonly loads: number;
  readonly values: number;
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
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const misses = (): number => cache.snapshot().remoteMiss as number;

async function work({ key, callers }: Task): Promise<Result> {
  let loads = 0;
  const loader = async (): Promise<string> => {
    loads += 1;
    await new Promise<void>((resolve) => {
      process.once('message', () => resolve());
    });
    return `${process.pid}`;
  };
  const before = misses();
  const calls = Array.from({ length: callers }, () => cache.getOrLoad(key, loader));
  // It has found nothing, and either loads or waits for the one that does.
  await until(() => misses() > before);
  process.send!('asked');
  return { loads, values: new Set(await Promise.all(calls)).size };
}

process.on('message', (task: Task | 'finish') => {
  if (task !== 'finish') work(task).then((result) => process.send!(result));
});
// Until the bus is up memory may be dropped, and with it what is being loaded.
await until(() => cache.snapshot().bus === 'up');
process.send!('ready');
