import {
  type Clock,
  callable,
  type Duration,
  duration,
  InvalidOptionError,
  integer,
  knownOptions,
  systemClock,
} from '@weir/core';
import { redisClient } from '@weir/redis';
import type { RemoteTier } from '../remote.ts';
import { RedisRemoteStore } from './redis-remote-store.ts';
import { json, type Serializer } from './serializer.ts';

export interface RedisTierOptions {
  /** What the names of all keys in Redis begin with. @default 'weir:cache:' */
  readonly prefix?: string;
  /** How long a command may take. A cache's `remoteTimeout` holds too. 1 ms to 1 minute. @default '100ms' */
  readonly timeout?: Duration;
  /** How values are turned into what Redis keeps. @default JSON */
  readonly serializer?: Serializer;
  /**
   * How long an invalidation is remembered: a load that takes longer may write back what was invalidated meanwhile. 1
   * minute to 30 days.
   *
   * @default '1h'
   */
  readonly rememberFor?: Duration;
  /**
   * Parts, in different slots of a Cluster, that a cache's keys are spread over. An invalidation of tags, or of all, is a
   * command for each. All processes must agree. 1 to 1024.
   *
   * @default 16 in a Cluster, else 1
   */
  readonly shards?: number;
  /** Of this process, to tell the age of entries by. Entries live by the clock of Redis. @default systemClock */
  readonly clock?: Clock;
}

/**
 * The second tier of caches, in Redis 5 or later, or Valkey; single, Sentinel or Cluster. An invalidation always wins: a
 * value that was loaded before it is not written after it, and this is compared and written in one step. Keys are hashed,
 * and each has a time to live; there is no list of what a tag is on. A read is one MGET, and a second one if the entry
 * has tags.
 *
 * @param client an ioredis or node-redis client, or a `redisClient`; it stays its owner's
 * @throws UnknownRedisClientError if it is none.
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const cache = createCache({ name: 'users', ttl: '5m', remote: redisTier(client), bus: redisBus(client) });
 */
export function redisTier(client: unknown, options: RedisTierOptions = {}): RemoteTier {
  knownOptions(options, ['prefix', 'timeout', 'serializer', 'rememberFor', 'shards', 'clock'], 'redisTier');
  const { prefix = 'weir:cache:', serializer = json, clock = systemClock } = options;
  if (!/^[\w.-]{1,32}$/.test(String(serializer?.name))) {
    throw new InvalidOptionError('serializer.name', '1 to 32 of A-Z a-z 0-9 _ . -', serializer?.name);
  }
  callable(serializer.encode, 'serializer.encode');
  callable(serializer.decode, 'serializer.decode');
  const timeoutMs = duration(options.timeout ?? 100, 'timeout', { min: 1, max: 60_000 });
  const rememberMs = duration(options.rememberFor ?? 3_600_000, 'rememberFor', {
    min: 60_000,
    max: 30 * 86_400_000,
  });
  const given = options.shards === undefined ? undefined : integer(options.shards, 'shards', 1, 1024);
  const view = redisClient(client);
  const shards = given ?? (view.topology === 'cluster' ? 16 : 1);
  const settings = { prefix: String(prefix), timeoutMs, rememberMs, shards, serializer, clock };
  return { open: (cache) => new RedisRemoteStore(view, cache, settings) };
}
