import type { CallBreaker } from '@weir/circuit-breaker';
import {
  type Clock,
  type Component,
  type Duration,
  duration,
  integer,
  knownOptions,
  systemClock,
  text,
} from '@weir/core';
import { driverOf } from './internal/detect.ts';
import type { Argument, Topology } from './internal/driver.ts';
import { View } from './internal/view.ts';
import type { Script } from './script.ts';

export interface RedisClientOptions {
  /** Shown in metrics and snapshots. @default 'redis-<n>' */
  readonly name?: string;
  /** How long a command may take, unless it is told otherwise. 1 ms to 24 days. @default '100ms' */
  readonly timeout?: Duration;
  /** After so many failures in a row commands fail at once. 1 or more. @default 5 */
  readonly failures?: number;
  /** How often one command is let through then, to see whether Redis is back. @default '500ms' */
  readonly retryEvery?: Duration;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** What Redis answers: numbers are whole, strings are bytes if that was asked for. */
export type RedisReply = string | number | Uint8Array | null | readonly RedisReply[];

export interface CommandOptions {
  /** How long this may take, ms. @default the client's `timeout` */
  readonly timeoutMs?: number | undefined;
  /** Of a command: whether strings in the answer come as bytes. A script says so itself. @default false */
  readonly binary?: boolean | undefined;
  /** Told of an answer that nobody waits for any more: to give back what it took. Must not throw. */
  readonly late?: ((reply: RedisReply) => void) | undefined;
}

/** What a subscription is told. None of these may throw. */
export interface ChannelListener {
  message(text: string): void;
  /** From now on messages may be lost. Called at once if there is no connection yet. */
  down(): void;
  /** From now on messages arrive; some may have been lost before. */
  up(): void;
}

export interface Subscription {
  /** Ends it; the listener is not called again. The last one closes the connection. */
  close(): void;
}

/**
 * One view of ioredis and node-redis; single, Sentinel and Cluster.
 *
 * Every command has a deadline of its own, whatever the client's offline queue does. While the client is connecting a
 * command waits here and is never sent after its deadline. What was sent and got no answer is never sent again. All
 * reject with a `RedisUnavailableError`, `RedisTimeoutError`, `RedisReplyError` or `RedisVersionError`.
 *
 * The client that was given stays its owner's: to be connected and closed by him.
 */
export interface RedisClient extends Component {
  readonly kind: 'redis';
  readonly library: 'ioredis' | 'node-redis';
  readonly topology: Topology;
  /** Opens while Redis fails. A component of its own. */
  readonly breaker: CallBreaker;
  /**
   * Runs a script by EVALSHA, and by EVAL where Redis does not have it: at first, after a restart, a failover or SCRIPT
   * FLUSH. No other error makes it run again.
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly (Argument | number)[],
    options?: CommandOptions,
  ): Promise<RedisReply>;
  /** Sends one command. `key`: the one that says which node of a Cluster; any node without it. */
  command(command: readonly Argument[], key?: string, options?: CommandOptions): Promise<RedisReply>;
  /** Subscribes over one more connection, which all subscriptions share. */
  subscribe(channel: string, listener: ChannelListener): Subscription;
  /** Ends subscriptions and what is under way, and stops listening to the client, which is left open. */
  close(): void;
  [Symbol.dispose](): void;
}

const views = new WeakMap<object, View>();

/**
 * Makes a view of a client. Without options the same view is returned for the same client, so that all that uses it
 * shares one breaker; a view is returned as it is.
 *
 * @param client of ioredis 5 or 6 (`Redis`, `Cluster`) or of redis 4 to 6 (`createClient`, `createCluster`,
 *   `createSentinel`)
 * @throws UnknownRedisClientError if it is something else.
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const client = redisClient(new Redis('redis://127.0.0.1'));
 * await client.run(script("return redis.call('INCR', KEYS[1])", { keys: 1 }), ['visits'], []);
 */
export function redisClient(client: unknown, options?: RedisClientOptions): RedisClient {
  if (client instanceof View) return client;
  const known = options === undefined ? views.get(Object(client)) : undefined;
  if (known !== undefined && !known.closed) return known;
  knownOptions(options ?? {}, ['name', 'timeout', 'failures', 'retryEvery', 'clock'], 'redisClient');
  const { name, timeout = 100, failures = 5, retryEvery = 500, clock = systemClock } = options ?? {};
  const view = new View((events) => driverOf(client, events), {
    name: name === undefined ? undefined : text(name, 'name'),
    timeoutMs: duration(timeout, 'timeout', { min: 1, max: 2 ** 31 - 1 }),
    failures: integer(failures, 'failures', 1),
    retryEvery: duration(retryEvery, 'retryEvery', { min: 1 }),
    clock,
  });
  if (options === undefined) views.set(client as object, view);
  return view;
}
