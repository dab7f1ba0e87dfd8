import type { Clock, Component, Duration } from '@weir/core';
import type { Decision } from './decision.ts';
import type { KeyStorage } from './key-storage.ts';
import type { Limit } from './limit.ts';
import type { Store } from './store.ts';

/** One limit, or several that are all charged or none. */
export type Limits = Limit | readonly Limit[];

export interface LimiterOptions {
  /** Shown in metrics and dashboards. @default 'limiter-<n>' */
  readonly name?: string;
  /**
   * What each key may have. A function gives each key its own limits, such as those of its plan; each set of limits it
   * returns counts for itself, in its own table, and it may return up to 64 different ones. It is called per decision.
   */
  readonly limits: Limits | ((key: string) => Limits);
  /** Keys remembered at once, for each set of limits. 1 to 2^24. @default 100000 */
  readonly maxKeys?: number;
  /** Where keys are kept: `tableStorage()` or `mapStorage()`. @default tableStorage() */
  readonly storage?: KeyStorage;
  /** Calls of `wait` that may be pending at once, over all keys. 0 to 2^24. @default 10000 */
  readonly maxWaiting?: number;
  /** @default systemClock */
  readonly clock?: Clock;
}

export interface StoreLimiterOptions extends LimiterOptions {
  /** Shares the counts with other processes. */
  readonly store: Store;
  /**
   * When the store fails or is late: 'local' decides by counts of this process alone, 'open' admits, 'closed' refuses.
   *
   * @default 'local'
   */
  readonly onStoreError?: 'local' | 'open' | 'closed';
  /** How long a decision waits for the store. 1 ms to 1 minute. @default 250 */
  readonly storeTimeout?: Duration;
  /**
   * Which part of each limit this process admits while it decides 'local': 1/n where n processes share the work. More
   * than 0, at most 1; what is left of a limit is never below 1.
   *
   * @default 1
   */
  readonly localShare?: number;
}

export interface CheckOptions {
  /** Units to charge. A whole number, 0 or more; one above the limit is refused for ever. @default 1 */
  readonly cost?: number;
  /** Counts a refusal as one that is not carried out. @default false */
  readonly shadow?: boolean;
}

export interface WaitOptions extends CheckOptions {
  /** How long to wait at most. 0 to 2^31 - 1 ms. @default '30s' */
  readonly maxWait?: Duration;
  /** Stops waiting, with the signal's reason. Nothing is charged then. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Decides at once. Every method throws `InvalidKeyError` for a key that is no string, `InvalidCostError` for a cost that
 * is no whole number of at least 0, and charges nothing then; `wait` rejects with the same.
 */
export interface Limiter extends Component {
  readonly kind: 'limiter';
  /** Charges the key if all limits have room, else nothing. O(1); O(log limit) for a sliding log. */
  check(key: string, options?: CheckOptions): Decision;
  /** What `check` would say, without charging. */
  peek(key: string, options?: CheckOptions): Decision;
  /** Forgets the key: its counts, and its block. */
  reset(key: string): void;
  /** Refuses the key for so long, `Infinity` meaning until `reset`. A later block replaces it. */
  block(key: string, duration: Duration): void;
  /** Gives back what was charged: to the present window, or to the bucket up to its brim. */
  refund(key: string, cost: number): void;
  /** Charges without asking: a penalty, or a cost known late. A debt beyond one whole limit is forgiven. */
  charge(key: string, cost: number): void;
  /**
   * Charges as soon as there is room: first come, first served within a key. Resolves with a refusal at once if
   * `maxWait` cannot be met or the queue is full. A pending call keeps the process alive.
   */
  wait(key: string, options?: WaitOptions): Promise<Decision>;
  /** Refuses all that wait. The limiter can still be used. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * The same over a store: every method answers with a promise, and rejects where a `Limiter` throws. When the store
 * fails, `check`, `peek` and `wait` decide as `onStoreError` says; the others reject with a `StoreError`.
 */
export interface AsyncLimiter extends Component {
  readonly kind: 'limiter';
  check(key: string, options?: CheckOptions): Promise<Decision>;
  peek(key: string, options?: CheckOptions): Promise<Decision>;
  reset(key: string): Promise<void>;
  block(key: string, duration: Duration): Promise<void>;
  refund(key: string, cost: number): Promise<void>;
  charge(key: string, cost: number): Promise<void>;
  wait(key: string, options?: WaitOptions): Promise<Decision>;
  /** Refuses all that wait, and lets the store give back what it holds for this limiter. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
