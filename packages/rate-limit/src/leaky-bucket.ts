import type { Duration } from '@weir/core';
import { defineLimit } from './internal/define-limit.ts';
import { Gcra } from './internal/gcra.ts';
import type { Limit } from './limit.ts';

export interface LeakyBucketOptions {
  /** Units that leak per `per`, evenly spread. A whole number, 1 to 10^12. */
  readonly limit: number;
  /** Whole milliseconds, 1 ms to 366 days. */
  readonly per: Duration;
  /** What the bucket holds; under `wait`, how long the queue may grow. A whole number, 1 to 10^12. @default limit */
  readonly capacity?: number;
  /** Shown in decisions and headers. Printable ASCII. @default '<limit>-per-<per>' */
  readonly name?: string;
}

/**
 * A bucket that each request fills and that leaks at `limit` per `per`. `check` admits what the bucket still holds.
 * `wait` shapes: requests leave one by one, evenly spaced, in the order they came, and the bucket is their queue; one
 * that would overflow it is refused at once. One number a key (GCRA).
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * leakyBucket({ limit: 10, per: '1s', capacity: 20 });
 */
export function leakyBucket(options: LeakyBucketOptions): Limit {
  return defineLimit(options, {
    algorithm: 'leaky-bucket',
    size: 'capacity',
    column: (limit, time) => new Gcra(limit, time, true),
  });
}
