import { type Duration, duration, knownOptions } from '@weir/core';
import { entityKey, redisClient, script } from '@weir/redis';
import type { Bus, BusMessage } from '../bus.ts';

/** By a script, because that has a key: so all messages of a channel take the same node of a Cluster, in order. */
const publish = /* @__PURE__ */ script("return redis.call('PUBLISH', ARGV[1], ARGV[2])", {
  keys: 1,
  idempotent: true,
});

export interface RedisBusOptions {
  /** What the names of all channels begin with. @default 'weir:bus:' */
  readonly prefix?: string;
  /** How long publishing may take. A cache's `remoteTimeout` holds too. 1 ms to 1 minute. @default '100ms' */
  readonly timeout?: Duration;
}

/**
 * Carries invalidations between processes by PUBLISH, over one more connection for all subscriptions of a client. When
 * that is lost the caches are told at once, and again when it is back: they drop what they hold.
 *
 * @param client an ioredis or node-redis client, or a `redisClient`; it stays its owner's
 * @throws UnknownRedisClientError if it is none.
 * @throws InvalidOptionError if an option is unknown or out of range.
 */
export function redisBus(client: unknown, options: RedisBusOptions = {}): Bus {
  knownOptions(options, ['prefix', 'timeout'], 'redisBus');
  const { prefix = 'weir:bus:', timeout = 100 } = options;
  const timeoutMs = duration(timeout, 'timeout', { min: 1, max: 60_000 });
  const view = redisClient(client);
  return {
    join: (cache, listener) => {
      const channel = entityKey(String(prefix), cache);
      const subscription = view.subscribe(channel, {
        message: (text) => {
          const message = read(text);
          if (message !== undefined) listener.message(message);
        },
        down: () => listener.down(),
        up: () => listener.up(),
      });
      return {
        publish: async (message) => {
          await view.run(publish, [channel], [channel, JSON.stringify(message)], { timeoutMs });
        },
        leave: () => subscription.close(),
      };
    },
  };
}

/** A message, if it is one. */
function read(text: string): BusMessage | undefined {
  try {
    const message = JSON.parse(text) as BusMessage;
    const { origin, seq, what } = message;
    return typeof origin === 'string' && Number.isInteger(seq) && typeof what?.kind === 'string'
      ? message
      : undefined;
  } catch {
    return undefined;
  }
}
