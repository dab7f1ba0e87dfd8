import type { Column } from './internal/column.ts';
import type { Time } from './internal/timeline.ts';

export type Algorithm = 'fixed-window' | 'sliding-log' | 'sliding-window' | 'token-bucket' | 'leaky-bucket';

/** What one limit says of one key. Times are lengths of time, in ms, whole but for `windowMs`. */
export interface LimitState {
  /** The limit's name. */
  readonly policy: string;
  /** The most that can be had at once: the limit of a window, the burst or capacity of a bucket. */
  readonly limit: number;
  /** What can still be had now. */
  readonly remaining: number;
  /** How long until this limit has room for the cost asked for; 0 if it has, Infinity if it never will. */
  readonly retryAfterMs: number;
  /** How long all of `limit` takes to come back: the length of a window, the time that fills a bucket. */
  readonly windowMs: number;
  /** How long until the key is as if it had never been seen. */
  readonly resetMs: number;
}

/**
 * One limit, made by `fixedWindow`, `slidingLog`, `slidingWindow`, `tokenBucket` or `leakyBucket`. Immutable.
 *
 * `algorithm`, `limit`, `perMs` and `capacity` say all that a store needs to decide; they are whole numbers but for
 * `windowMs`, which follows from them. `stepOf` decides the same, for a store to be tested against.
 */
export interface Limit {
  readonly algorithm: Algorithm;
  /** Shown in decisions and headers. Printable ASCII, 1 to 100 characters. */
  readonly name: string;
  /** Units per `perMs`. A whole number, 1 to 10^12; to 10,000 for a sliding log. */
  readonly limit: number;
  /** Whole ms, 1 ms to 366 days. */
  readonly perMs: number;
  /** The most at once: `limit` of a window, `burst` or `capacity` of a bucket. A whole number, 1 to 10^12. */
  readonly capacity: number;
  /** How long all of `capacity` takes to come back, ms: `perMs * capacity / limit`. */
  readonly windowMs: number;
  /** Equal for limits that are the same in everything. Printable ASCII. */
  readonly id: string;
  /** @internal Room for the states of many keys. */
  column(time: Time): Column;
  /** @internal The same limit with a part of its units, at least one. */
  share(part: number): Limit;
}
