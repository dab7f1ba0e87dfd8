import {
  type Clock,
  type Duration,
  duration,
  fraction,
  integer,
  knownOptions,
  oneOf,
  systemClock,
} from '@weir/core';
import { redisClient } from '@weir/redis';
import { Counts } from './redis/counts.ts';
import { decideScript } from './redis/decide-script.ts';
import { Denials } from './redis/denials.ts';
import { RedisStore } from './redis/redis-store.ts';
import type { Store } from './store.ts';

export interface RedisStoreOptions {
  /** What the names of all keys in Redis begin with. @default 'weir:limit:' */
  readonly prefix?: string;
  /** How long an answer of Redis may take. 1 ms to 1 minute. A limiter's `storeTimeout` holds too. @default '100ms' */
  readonly timeout?: Duration;
  /**
   * 'exact': each decision is a call of its own. 'batched': all decisions of one turn of the event loop are one call; as
   * exact, for a fraction of the work. 'leased': units are taken in advance and spent without a call, at a bounded loss
   * of accuracy.
   *
   * @default 'exact'
   */
  readonly mode?: 'exact' | 'batched' | 'leased';
  /** Mode 'leased': units of one lease at most, for each key and process. 1 or more. @default 1000 */
  readonly maxLease?: number;
  /** Mode 'leased': the part of a limit's capacity that one lease may be. Above 0, at most 1. @default 0.1 */
  readonly leaseShare?: number;
  /** Mode 'leased': after so long the rest of a lease is given back. 50 ms to 1 minute. @default '1s' */
  readonly leaseFor?: Duration;
  /** Of this process: for leases and remembered refusals. Counts live by the clock of Redis. @default systemClock */
  readonly clock?: Clock;
}

/**
 * Keeps the counts of limiters in Redis 5 or later, or Valkey; single, Sentinel or Cluster. Decides by the clock of
 * Redis, atomically, in one call. A refusal is remembered until it ends, up to a second, for the same cost. Keys are
 * hashed, and each has a time to live.
 *
 * @param client an ioredis or node-redis client, or a `redisClient`; it stays its owner's
 * @throws UnknownRedisClientError if it is none.
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const limiter = createLimiter({ limits: tokenBucket({ limit: 100, per: '1m' }), store: redisStore(new Redis()) });
 * const { allowed } = await limiter.check(userId);
 */
export function redisStore(client: unknown, options: RedisStoreOptions = {}): Store {
  const names = ['prefix', 'timeout', 'mode', 'maxLease', 'leaseShare', 'leaseFor', 'clock'];
  knownOptions(options, names, 'redisStore');
  const { prefix = 'weir:limit:', timeout = 100, clock = systemClock } = options;
  const mode: RedisStoreOptions['mode'] & string = oneOf(options.mode ?? 'exact', 'mode', [
    'exact',
    'batched',
    'leased',
  ]);
  const lease = {
    max: integer(options.maxLease ?? 1000, 'maxLease', 1),
    share: fraction(options.leaseShare ?? 0.1, 'leaseShare'),
    forMs: duration(options.leaseFor ?? 1000, 'leaseFor', { min: 50, max: 60_000 }),
  };
  const timeoutMs = duration(timeout, 'timeout', { min: 1, max: 60_000 });
  const view = redisClient(client);
  const denials = new Denials(clock);
  const counts = new Counts(view, decideScript(), String(prefix), timeoutMs, denials);
  return new RedisStore(counts, denials, { mode, lease, clock, cluster: view.topology === 'cluster' });
}
