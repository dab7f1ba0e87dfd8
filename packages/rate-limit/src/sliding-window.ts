import type { Duration } from '@weir/core';
import { Cells, never, ticksPerMs } from './internal/column.ts';
import { defineLimit } from './internal/define-limit.ts';
import type { Time } from './internal/timeline.ts';
import type { Limit } from './limit.ts';

export interface SlidingWindowOptions {
  /** Units per window. A whole number, 1 to 10^12. */
  readonly limit: number;
  /** Length of the window. Whole milliseconds, 1 ms to 366 days. */
  readonly per: Duration;
  /** Shown in decisions and headers. Printable ASCII. @default '<limit>-per-<per>' */
  readonly name?: string;
}

/**
 * Estimates a sliding window from two fixed ones: the present count, and the former one weighted by how much of it
 * the window still covers. Three numbers a key. The estimate takes the former window's units as evenly spread; if
 * they were bunched at its end, up to nearly twice the limit passes within one `per`.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * slidingWindow({ limit: 100, per: '1m' });
 */
export function slidingWindow(options: SlidingWindowOptions): Limit {
  return defineLimit(options, {
    algorithm: 'sliding-window',
    column: (limit, time) => new SlidingWindow(limit, time),
  });
}

/** Per slot: the number of the present window, the units charged in it, the units charged in the one before. */
class SlidingWindow extends Cells {
  readonly #per: number;

  constructor(limit: Limit, time: Time) {
    super(limit, time, 3);
    this.#per = limit.perMs * ticksPerMs;
  }

  wait(slot: number, cost: number): number {
    if (cost > this.capacity) return never;
    const present = this.#charged(slot, 0);
    const left = this.#left();
    const room = this.capacity - cost - present;
    if (room < 0) return left + this.#behind(this.capacity - cost, present);
    // Not until so much of the former window has been left behind.
    return Math.max(0, this.#behind(room, this.#charged(slot, 1)) - this.#per + left);
  }

  charge(slot: number, cost: number): void {
    this.#set(slot, Math.min(this.#charged(slot, 0) + cost, 2 * this.capacity));
  }

  refund(slot: number, cost: number): void {
    this.#set(slot, Math.max(0, this.#charged(slot, 0) - cost));
  }

  remaining(slot: number): number {
    const former = Math.ceil((this.#charged(slot, 1) * this.#left()) / this.#per);
    return Math.max(0, this.capacity - this.#charged(slot, 0) - former);
  }

  reset(slot: number): number {
    const left = this.#left();
    if (this.#charged(slot, 0) > 0) return left + this.#per;
    return this.#charged(slot, 1) > 0 ? left : 0;
  }

  /** Ticks of a window after which `former` units, evenly spread in the one before, weigh `room` or less. */
  #behind(room: number, former: number): number {
    return former <= room ? 0 : this.#per - Math.floor((room * this.#per) / former);
  }

  #window(): number {
    return Math.floor((this.time.now + this.time.epoch) / this.#per);
  }

  #left(): number {
    return (this.#window() + 1) * this.#per - this.time.now - this.time.epoch;
  }

  /** Units of the present window, or of the one `ago` windows before, 0 or 1. */
  #charged(slot: number, ago: number): number {
    const past = ago - this.#window() + this.cells[3 * slot]!;
    return past === 0 || past === 1 ? this.cells[3 * slot + 1 + past]! : 0;
  }

  #set(slot: number, present: number): void {
    const former = this.#charged(slot, 1);
    this.cells[3 * slot] = this.#window();
    this.cells[3 * slot + 1] = present;
    this.cells[3 * slot + 2] = former;
  }
}
