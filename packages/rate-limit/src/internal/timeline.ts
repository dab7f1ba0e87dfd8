import type { Clock } from '@weir/core';
import { ticksPerMs } from './column.ts';

/** What a column knows of time, in whole ticks. */
export interface Time {
  /** Never goes backwards. */
  readonly now: number;
  /** What the wall clock showed at 0. */
  readonly epoch: number;
}

/** A limiter's time. It stands still between calls of `tick`, and while its clock goes backwards. */
export class Timeline implements Time {
  now: number;
  readonly epoch: number;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = Math.floor(clock.now() * ticksPerMs);
    this.epoch = Math.floor(clock.epoch()) * ticksPerMs - this.now;
  }

  tick(): void {
    const now = Math.floor(this.#clock.now() * ticksPerMs);
    if (now > this.now) this.now = now;
  }
}
