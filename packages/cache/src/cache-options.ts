import type { Awaitable, Clock, Duration, Random } from '@weir/core';
import type { Bus } from './bus.ts';
import type { RemoteTier } from './remote.ts';

/** How a cache keeps, renews and drops what it holds. */
export interface CacheOptions {
  /** Shown in metrics and snapshots. A cache shares remote tier and bus with those of its name. @default 'cache-<n>' */
  readonly name?: string;
  /**
   * Entries kept at most; then the least recently used one goes. 1 to 16,777,216. Slots are set aside at construction,
   * 28 bytes each.
   *
   * @default 10_000; no limit if `maxBytes` is given
   */
  readonly max?: number;
  /**
   * Sum of the sizes kept at most. 1 or more. A value larger than this is served and not kept.
   *
   * @default no limit
   */
  readonly maxBytes?: number;
  /**
   * The size of a value, counted against `maxBytes`; rounded up, at least 1. A key longer than 256 characters adds its
   * length.
   *
   * @default an estimate that walks the value, at a cost in proportion to it
   */
  readonly sizeOf?: (value: unknown, key: string) => number;
  /** How long a value is fresh. More than 0. */
  readonly ttl: Duration;
  /**
   * How long after `ttl` a value may still be served, stale: while it is renewed, or when that fails.
   *
   * @default 0
   */
  readonly grace?: Duration;
  /**
   * Takes a random share of up to this off each ttl, so that what was loaded together does not expire together.
   * 0 to 1.
   *
   * @default 0
   */
  readonly jitter?: number;
  /**
   * Renews a value in the background before it expires, the likelier the closer the end and the longer its load took:
   * the beta of XFetch (Vattani et al., "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015). 0 is off, 1 the
   * optimum of the paper, more is earlier. 0 to 100.
   *
   * @default 0
   */
  readonly earlyRefresh?: number;
  /**
   * How long a caller waits for the renewal of a stale value before it gets that one. With 0 it gets it at once, and
   * synchronously.
   *
   * @default 0
   */
  readonly softTimeout?: Duration;
  /**
   * How long a loader may take. Then its signal aborts, and callers get the stale value, if there is one within its
   * grace, or a `LoadTimeoutError`. 1 ms to 24 days.
   *
   * @default '30s'
   */
  readonly hardTimeout?: Duration;
  /** The ttl of null and undefined, which are values like any other. 0: not kept. @default ttl */
  readonly negativeTtl?: Duration;
  /**
   * How long a failed load is remembered. Until then callers get the stale value or the same rejection, and no load is
   * made.
   *
   * @default 0
   */
  readonly errorTtl?: Duration;
  /**
   * Guards a kept value against callers that change it. 'freeze' freezes it deeply when it is stored (what `set` was
   * given, too; Map, Set and binary data stay mutable). 'clone' gives each caller a `structuredClone`, at its cost.
   *
   * @default callers share the value
   */
  readonly protect?: 'freeze' | 'clone';
  /**
   * Deadlines run on the host's own timers.
   *
   * @default systemClock, on Node, Bun and Deno read once a millisecond for hits
   */
  readonly clock?: Clock;
  /** For `jitter` and `earlyRefresh`. @default Math.random */
  readonly random?: Random;
}

/**
 * Options of a cache that shares its entries or its invalidations with other processes: with the caches there that have
 * the same `name`, or none either.
 */
export interface SharedCacheOptions extends CacheOptions {
  /** A second tier behind memory. @default none */
  readonly remote?: RemoteTier | undefined;
  /** Tells the other processes what was invalidated. @default none */
  readonly bus?: Bus | undefined;
  /**
   * How long a call of `remote` or `bus` may take. A read that takes longer is a miss. 1 ms to 24 days.
   *
   * @default '100ms'
   */
  readonly remoteTimeout?: Duration;
  /**
   * How long a load waits while another process loads the same key, before it loads for itself; and how long that is
   * prevented by a process that has died. 0: each process loads for itself. Up to 24 days. Needs a remote tier with
   * locks.
   *
   * @default '5s'
   */
  readonly lockWait?: Duration;
  /**
   * How often memory is dropped while the bus is down: the longest that an invalidation in another process goes
   * unnoticed then. 1 ms to 24 days.
   *
   * @default '5s'
   */
  readonly suspectTtl?: Duration;
}

/** What a loader is handed. */
export interface LoadContext {
  /** Aborts when all callers have gone, and at the hard timeout. Made when first read. */
  readonly signal: AbortSignal;
  /** The value being renewed, if it is still within its grace. Its type is not known here, so that `V` is what loaders give. */
  readonly stale: unknown;
  /** Sets the ttl of the value being loaded. 0: not kept. */
  setTtl(ttl: Duration): void;
  /** Adds tags to the value being loaded. */
  tags(tags: string | readonly string[]): void;
}

/** Gets the value of a key from where it really is. Called synchronously. */
export type Loader<V> = (context: LoadContext) => Awaitable<V>;

/** Gets the values of several keys at once: an array as long as `keys`, in their order. Called synchronously. */
export type BatchLoader<V> = (
  keys: readonly string[],
  context: Pick<LoadContext, 'signal'>,
) => Awaitable<readonly V[]>;

export interface SetOptions {
  /** 0: not kept. @default the cache's */
  readonly ttl?: Duration | undefined;
  /** @default the cache's */
  readonly grace?: Duration | undefined;
  /** What `invalidateTags` finds it by. @default none */
  readonly tags?: readonly string[] | undefined;
}

/** Options of one call. Only the call that begins a load sets `ttl`, `grace`, `tags` and `hardTimeout`. */
export interface LoadOptions extends SetOptions {
  /** @default the cache's */
  readonly hardTimeout?: Duration | undefined;
  /** Gives up waiting: this caller rejects with the signal's reason. The load goes on while another one waits. */
  readonly signal?: AbortSignal | undefined;
  /** Is handed the work that goes on behind an answer, for hosts that stop when the response is sent. Never rejects. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined;
}

export interface WrapOptions<Args extends readonly unknown[]> extends Omit<LoadOptions, 'tags' | 'signal'> {
  /** The key for these arguments. Functions wrapped with the same cache share its keys: use a namespace for each. */
  readonly key: (...args: Args) => string;
  /** @default none */
  readonly tags?: readonly string[] | ((...args: Args) => readonly string[]) | undefined;
}
