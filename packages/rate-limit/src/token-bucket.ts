import type { Duration } from '@weir/core';
import { defineLimit } from './internal/define-limit.ts';
import { Gcra } from './internal/gcra.ts';
import type { Limit } from './limit.ts';

export interface TokenBucketOptions {
  /** Tokens that come back per `per`, evenly spread. A whole number, 1 to 10^12. */
  readonly limit: number;
  /** Whole milliseconds, 1 ms to 366 days. */
  readonly per: Duration;
  /** Size of the bucket: tokens that may be taken at once. A whole number, 1 to 10^12. @default limit */
  readonly burst?: number;
  /** Shown in decisions and headers. Printable ASCII. @default '<limit>-per-<per>' */
  readonly name?: string;
}

/**
 * A bucket of `burst` tokens, full at first, refilled at `limit` per `per`. In any span of time T no more than
 * `burst + limit * T / per` passes. One number a key (GCRA).
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * tokenBucket({ limit: 50, per: '1s', burst: 100 });
 */
export function tokenBucket(options: TokenBucketOptions): Limit {
  return defineLimit(options, {
    algorithm: 'token-bucket',
    size: 'burst',
    column: (limit, time) => new Gcra(limit, time, false),
  });
}
