import type { Clock } from '../clock.ts';
import { type Duration, duration } from '../duration.ts';

/** A clock that stands still until it is told to move. */
export class ManualClock implements Clock {
  #now: number;
  #epoch: number;

  /** @param now where the monotonic clock starts, ms. @param epoch where the wall clock starts, ms since 1970. */
  constructor(now = 0, epoch = 1_700_000_000_000) {
    this.#now = now;
    this.#epoch = epoch;
  }

  now(): number {
    return this.#now;
  }

  epoch(): number {
    return this.#epoch;
  }

  /** Lets time pass on both clocks. */
  advance(by: Duration): void {
    const ms = duration(by, 'by', { min: 0 });
    this.#now += ms;
    this.#epoch += ms;
  }

  /** Sets the wall clock, as an operator or NTP would. Monotonic time goes on as if nothing had happened. */
  setEpoch(epoch: number): void {
    this.#epoch = epoch;
  }
}
