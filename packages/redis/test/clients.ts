import { Redis as Ioredis6, Cluster as Ioredis6Cluster } from 'ioredis';
import { Redis as Ioredis5, Cluster as Ioredis5Cluster } from 'ioredis5';
import * as redis6 from 'redis';
import * as redis4 from 'redis4';
import * as redis5 from 'redis5';

/** A client of some library, connected, and how to close it. */
export interface Connected {
  readonly client: object;
  close(): void;
}

type Open = (port: number) => Promise<Connected>;
type Roots = readonly { readonly host: string; readonly port: number }[];

const quick = { retryStrategy: () => 50 };

const ioredis =
  (Kind: new (options: object) => Ioredis6 | Ioredis5): Open =>
  async (port) => {
    const client = new Kind({ host: '127.0.0.1', port, ...quick });
    client.on('error', () => {});
    return { client, close: () => client.disconnect() };
  };

interface NodeRedis {
  on(event: 'error', listener: () => void): unknown;
  connect(): Promise<unknown>;
  disconnect?(): Promise<unknown>;
  destroy?(): void;
}

async function connected(client: NodeRedis): Promise<Connected> {
  client.on('error', () => {});
  await client.connect();
  const close = (): void => {
    try {
      if (client.destroy !== undefined) client.destroy();
      else client.disconnect!().catch(() => {});
    } catch {}
  };
  return { client, close };
}

const nodeRedis =
  (library: { createClient(options: object): unknown }): Open =>
  (port) =>
    connected(
      library.createClient({
        socket: { host: '127.0.0.1', port, reconnectStrategy: () => 50 },
      }) as NodeRedis,
    );

export const singles: readonly (readonly [name: string, open: Open])[] = [
  ['ioredis 6', ioredis(Ioredis6)],
  ['ioredis 5', ioredis(Ioredis5)],
  ['redis 6', nodeRedis(redis6)],
  ['redis 5', nodeRedis(redis5)],
  ['redis 4', nodeRedis(redis4)],
];

const ioredisCluster =
  (Kind: new (roots: never, options: object) => Ioredis6Cluster | Ioredis5Cluster) =>
  async (roots: Roots) => {
    const client = new Kind([...roots] as never, { clusterRetryStrategy: () => 50 });
    client.on('error', () => {});
    return { client, close: () => client.disconnect() };
  };

const nodeRedisCluster = (library: { createCluster(options: never): unknown }) => (roots: Roots) =>
  connected(
    library.createCluster({
      rootNodes: roots.map(({ host, port }) => ({ url: `redis://${host}:${port}` })),
      defaults: { socket: { reconnectStrategy: () => 50 } },
    } as never) as NodeRedis,
  );

export const clusters: readonly (readonly [name: string, open: (roots: Roots) => Promise<Connected>])[] = [
  ['ioredis 6', ioredisCluster(Ioredis6Cluster)],
  ['ioredis 5', ioredisCluster(Ioredis5Cluster)],
  ['redis 6', nodeRedisCluster(redis6)],
  ['redis 5', nodeRedisCluster(redis5)],
  ['redis 4', nodeRedisCluster(redis4)],
];

const nodeRedisSentinel = (library: { createSentinel(options: never): unknown }) => (roots: Roots) =>
  connected(
    library.createSentinel({
      name: 'weir',
      sentinelRootNodes: [...roots],
      nodeClientOptions: { socket: { reconnectStrategy: () => 50 } },
    } as never) as NodeRedis,
  );

export const sentinels: readonly (readonly [name: string, open: (roots: Roots) => Promise<Connected>])[] = [
  [
    'ioredis 6',
    async (roots) => {
      const client = new Ioredis6({ name: 'weir', sentinels: [...roots], ...quick });
      client.on('error', () => {});
      return { client, close: () => client.disconnect() };
    },
  ],
  ['redis 6', nodeRedisSentinel(redis6)],
  ['redis 5', nodeRedisSentinel(redis5)],
];
