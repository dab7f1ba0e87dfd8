import type { Bus } from '@weir/cache';
import { redisBus } from '@weir/cache/redis';
import type { Store } from '@weir/rate-limit';
import { redisStore } from '@weir/rate-limit/redis';
import { type RedisClient, redisClient } from '@weir/redis';
import type { GatewayConfig, RedisConfig } from '../config.ts';
import { ConfigError } from '../config-error.ts';
import { given } from './given.ts';

/** What a gateway has in common with other processes. */
export interface Shared {
  /** Counts limits, and the options of limiters that go with it. */
  readonly limits: { readonly store: Store; readonly options: object } | undefined;
  /** Carries purges. */
  readonly bus: Bus | undefined;
  /** Shown among the components. */
  readonly client: RedisClient | undefined;
  close(): void;
}

export const alone: Shared = { limits: undefined, bus: undefined, client: undefined, close() {} };

/** What a program may give beside a configuration. */
interface Means {
  readonly store?: Store;
  readonly redis?: object;
}

/**
 * @throws ConfigError if the configuration counts on a Redis, and there is no client for it.
 * @throws UnknownRedisClientError if the client is none.
 */
export function sharedOf({ redis }: GatewayConfig, { store, redis: client }: Means): Shared {
  if (redis !== undefined && store === undefined && client === undefined) {
    const message = 'needs a client, which the command makes: createGateway(config, { redis: client })';
    throw new ConfigError([{ path: 'redis', message }]);
  }
  const terms: Partial<RedisConfig> = redis ?? {};
  const shared = client === undefined ? alone : sharedBy(client, terms);
  return store === undefined ? shared : { ...shared, limits: { store, options: limiterOptions(terms) } };
}

function sharedBy(client: object, terms: Partial<RedisConfig>): Shared {
  const { timeout, mode } = terms;
  // One view for all, so that limits and purges see the same outage.
  const view = redisClient(client, given({ name: 'redis', timeout }) as object);
  return {
    limits: {
      store: redisStore(view, given({ timeout, mode }) as object),
      options: limiterOptions(terms),
    },
    bus: redisBus(view, given({ timeout }) as object),
    client: view,
    // One that was given as a view is its owner's.
    close: () => (view === client ? undefined : view.close()),
  };
}

const limiterOptions = ({ timeout, localShare }: Partial<RedisConfig>): object =>
  given({ storeTimeout: timeout, localShare });
