import { Redis } from 'ioredis';
import {
  createLimiter,
  fixedWindow,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/index.ts';
import { redisStore } from '../../src/redis.ts';

// One process of several that share a limit. Told what to do by the test.

export interface Task {
  readonly port: number;
  readonly mode: 'exact' | 'batched' | 'leased';
  readonly algorithm: keyof typeof makers;
  readonly limit: number;
  readonly per: number;
  readonly key: string;
  readonly attempts: number;
  readonly inFlight: number;
}

const makers = { fixedWindow, slidingLog, slidingWindow, tokenBucket, leakyBucket };

async function work({ port, mode, algorithm, limit, per, key, attempts, inFlight }: Task): Promise<number> {
  const client = new Redis(port, '127.0.0.1');
  const limiter = createLimiter({
    name: algorithm,
    limits: makers[algorithm]({ limit, per }),
    store: redisStore(client, { mode, timeout: '20s' }),
    storeTimeout: '20s',
    onStoreError: 'closed',
  });
  let [started, admitted] = [0, 0];
  const one = async (): Promise<void> => {
    while (started < attempts) {
      started += 1;
      if ((await limiter.check(key)).allowed) admitted += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  client.disconnect();
  return admitted;
}

process.on('message', (task: Task) => {
  work(task).then((admitted) => process.send!(admitted));
});
process.send!('ready');
