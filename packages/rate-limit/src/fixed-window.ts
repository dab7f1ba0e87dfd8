import type { Duration } from '@weir/core';
import { Cells, never, ticksPerMs } from './internal/column.ts';
import { defineLimit } from './internal/define-limit.ts';
import type { Time } from './internal/timeline.ts';
import type { Limit } from './limit.ts';

export interface FixedWindowOptions {
  /** Units per window. A whole number, 1 to 10^12. */
  readonly limit: number;
  /** Length of a window. Whole milliseconds, 1 ms to 366 days. */
  readonly per: Duration;
  /** Shown in decisions and headers. Printable ASCII. @default '<limit>-per-<per>' */
  readonly name?: string;
}

/**
 * Counts in windows of equal length that start at whole multiples of `per` since 1970 (as the wall clock stood when
 * the limiter was made). Two numbers a key. Around the edge of two windows up to twice the limit passes within one
 * `per`; where that matters, take `slidingLog`.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * fixedWindow({ limit: 1000, per: '1h' });
 */
export function fixedWindow(options: FixedWindowOptions): Limit {
  return defineLimit(options, {
    algorithm: 'fixed-window',
    column: (limit, time) => new FixedWindow(limit, time),
  });
}

/** Per slot: the number of the window, the units charged in it. */
class FixedWindow extends Cells {
  readonly #per: number;

  constructor(limit: Limit, time: Time) {
    super(limit, time, 2);
    this.#per = limit.perMs * ticksPerMs;
  }

  wait(slot: number, cost: number): number {
    if (cost > this.capacity) return never;
    return this.#used(slot) + cost <= this.capacity ? 0 : this.#left();
  }

  charge(slot: number, cost: number): void {
    this.#set(slot, Math.min(this.#used(slot) + cost, 2 * this.capacity));
  }

  refund(slot: number, cost: number): void {
    this.#set(slot, Math.max(0, this.#used(slot) - cost));
  }

  remaining(slot: number): number {
    return Math.max(0, this.capacity - this.#used(slot));
  }

  reset(slot: number): number {
    return this.#used(slot) === 0 ? 0 : this.#left();
  }

  #window(): number {
    return Math.floor((this.time.now + this.time.epoch) / this.#per);
  }

  #used(slot: number): number {
    return this.cells[2 * slot] === this.#window() ? this.cells[2 * slot + 1]! : 0;
  }

  #set(slot: number, used: number): void {
    this.cells[2 * slot] = this.#window();
    this.cells[2 * slot + 1] = used;
  }

  #left(): number {
    return (this.#window() + 1) * this.#per - this.time.now - this.time.epoch;
  }
}
