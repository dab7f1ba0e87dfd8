import type { Duration } from '@weir/core';
import { Column, never, ticksPerMs } from './internal/column.ts';
import { defineLimit } from './internal/define-limit.ts';
import type { Time } from './internal/timeline.ts';
import type { Limit } from './limit.ts';

export interface SlidingLogOptions {
  /** Units per window. A whole number, 1 to 10,000: the log holds 8 bytes for each. */
  readonly limit: number;
  /** Length of the window. Whole milliseconds, 1 ms to 366 days. */
  readonly per: Duration;
  /** Shown in decisions and headers. Printable ASCII. @default '<limit>-per-<per>' */
  readonly name?: string;
}

/**
 * Remembers when each unit was charged: never more than `limit` in any span shorter than, or as long as, `per`; a
 * hit leaves when it is exactly `per` old. The only exact one, at 8 bytes a unit and O(log limit) a check.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * slidingLog({ limit: 5, per: '15m' });
 */
export function slidingLog(options: SlidingLogOptions): Limit {
  return defineLimit(options, {
    algorithm: 'sliding-log',
    max: 10_000,
    column: (limit, time) => new SlidingLog(limit, time),
  });
}

/** Per slot: the times of the units charged, oldest first. */
class SlidingLog extends Column {
  readonly #per: number;
  readonly #logs: (number[] | undefined)[] = [];

  constructor(limit: Limit, time: Time) {
    super(limit, time);
    this.#per = limit.perMs * ticksPerMs;
  }

  wait(slot: number, cost: number): number {
    if (cost > this.capacity) return never;
    const log = this.#logs[slot];
    if (log === undefined) return 0;
    // The window has room as soon as all up to this unit have left it.
    const last = log.length + cost - this.capacity - 1;
    return last < 0 ? 0 : Math.max(0, log[last]! + this.#per - this.time.now);
  }

  charge(slot: number, cost: number): void {
    if (cost === 0) return;
    const log = (this.#logs[slot] ??= []);
    let gone = this.#gone(log);
    // Half of it at a time, so that each unit is moved once on average.
    if (2 * gone >= log.length) {
      log.splice(0, gone);
      gone = 0;
    }
    const room = 2 * this.capacity - (log.length - gone);
    for (let left = Math.min(cost, room); left > 0; left -= 1) log.push(this.time.now);
  }

  refund(slot: number, cost: number): void {
    const log = this.#logs[slot];
    if (log !== undefined) log.length -= Math.min(cost, log.length - this.#gone(log));
  }

  remaining(slot: number): number {
    const log = this.#logs[slot];
    return log === undefined ? this.capacity : Math.max(0, this.capacity - log.length + this.#gone(log));
  }

  reset(slot: number): number {
    const newest = this.#logs[slot]?.at(-1);
    return newest === undefined ? 0 : Math.max(0, newest + this.#per - this.time.now);
  }

  clear(slot: number): void {
    this.#logs[slot] = undefined;
  }

  grow(slots: number): void {
    for (let slot = this.#logs.length; slot < slots; slot += 1) this.#logs.push(undefined);
  }

  load(slot: number, state: readonly number[]): void {
    this.#logs[slot] = [...state];
  }

  save(slot: number): readonly number[] {
    return [...(this.#logs[slot] ?? [])];
  }

  /** How many at the front are `per` old or older. */
  #gone(log: readonly number[]): number {
    const edge = this.time.now - this.#per;
    let low = 0;
    let high = log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (log[middle]! <= edge) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
