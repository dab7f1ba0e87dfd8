import type { Awaitable } from '@weir/core';
import { StoreLimiter } from './internal/store-limiter.ts';
import type { Limit, LimitState } from './limit.ts';
import type { AsyncLimiter, StoreLimiterOptions } from './limiter.ts';

/** What a store is asked about. */
export interface StoreKey {
  /** The limiter's name: part of what the counts are kept under. */
  readonly limiter: string;
  readonly key: string;
  /** The limits of this key: 1 to 16, each with its own name. The same array for every key, unless limits are a function. */
  readonly limits: readonly Limit[];
  /** After so long nobody waits for the answer any more, ms. */
  readonly timeoutMs: number;
}

export interface StoreRequest extends StoreKey {
  /** Whole, at least 0. */
  readonly cost: number;
  /**
   * 'charge': all limits or none. 'peek': charges nothing. 'turn': as 'charge', but a leaky bucket admits only when
   * what came before has leaked: its `retryAfterMs` is then the time until it is empty.
   */
  readonly mode: 'charge' | 'peek' | 'turn';
}

export interface StoreAnswer {
  /** One for each limit, in order. Allowed if all have `retryAfterMs` 0. */
  readonly limits: readonly LimitState[];
  /** How long the key is still blocked, ms. 0 if it is not; nothing is charged if it is. */
  readonly blockedMs: number;
}

/**
 * Where counts are shared by many processes. Extend it to bring a database of your own.
 *
 * Everything here may throw, reject or hang: the limiter has a deadline for all of it. `decide` decides atomically, on
 * one clock for all processes, as `stepOf` does for each limit. It may answer at once, without a promise.
 */
export abstract class Store {
  abstract decide(request: StoreRequest): Awaitable<StoreAnswer>;
  /** Charges `units` without asking, where a debt is at most one `capacity`; gives back `-units` if it is negative. */
  abstract adjust(key: StoreKey, units: number): Awaitable<void>;
  /** Refuses the key for so long, in place of an earlier block. Infinity: until reset. */
  abstract block(key: StoreKey, ms: number): Awaitable<void>;
  /** Forgets the key: its counts and its block. */
  abstract reset(key: StoreKey): Awaitable<void>;
  /** A limiter of that name is done here: gives back what is held for it. */
  close?(limiter: string): Awaitable<void>;

  /** @internal Here, so that who needs no store does not bundle one. */
  limiter(options: StoreLimiterOptions): AsyncLimiter {
    return new StoreLimiter(this, options);
  }
}
