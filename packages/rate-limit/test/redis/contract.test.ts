import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { beforeAll } from 'vitest';
import { describeRedis, type Server, Servers } from '../../../redis/test/servers.ts';
import { redisStore } from '../../src/redis.ts';
import { storeContract } from '../contract.ts';

describeRedis('on a server', () => {
  const servers = new Servers();
  let server: Server;
  beforeAll(async () => {
    server = await servers.single();
  });
  /** A timer may fire a fraction of a millisecond before its time. */
  const pass = async (ms: number): Promise<void> => {
    const end = performance.now() + ms;
    while (performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  let opened = 0;
  /** Counts of one test do not meet those of another. */
  const prefix = (): string => `test-${opened}:`;

  for (const mode of ['exact', 'leased'] as const) {
    storeContract(`redisStore, ${mode}, ioredis`, async () => {
      opened += 1;
      const clients: Redis[] = [];
      const connect = () => {
        const client = new Redis(server.port, '127.0.0.1');
        clients.push(client);
        return redisStore(client, { mode, timeout: '10s', prefix: prefix() });
      };
      const close = async () => {
        for (const client of clients) client.disconnect();
      };
      return { connect, pass, close };
    });
  }

  storeContract('redisStore, batched, node-redis', async () => {
    opened += 1;
    const clients = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const client = createClient({ url: server.url });
        await client.connect();
        return client;
      }),
    );
    let next = 0;
    const connect = () =>
      redisStore(clients[next++ % 4], { mode: 'batched', timeout: '10s', prefix: prefix() });
    const close = async () => {
      for (const client of clients) client.destroy();
    };
    return { connect, pass, close };
  });
});
