import type { Clock } from '@weir/core';

const EVERY = 50;
const WEIGHT = 0.3;

/** How late timers run, as a smoothed mean: the delay that every request sees. Owns one unref'd timer. */
export class EventLoopLag {
  readonly #clock: Clock;
  readonly #longest: number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #due = 0;
  #mean = 0;

  /** @param longest ms; a sample never counts for more, so that one stop of the machine is soon forgotten */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock;
    this.#longest = longest;
  }

  /** Ms. Starts the timer at the first reading. While the loop is blocked the timer is late itself: that counts. */
  read(): number {
    const now = this.#clock.now();
    if (this.#timer === undefined) this.#start(now);
    return Math.max(this.#mean, now - this.#due);
  }

  #start(now: number): void {
    this.#due = now + EVERY;
    this.#timer = setInterval(() => {
      const at = this.#clock.now();
      const late = Math.min(Math.max(0, at - this.#due), this.#longest);
      this.#mean += WEIGHT * (late - this.#mean);
      this.#due = at + EVERY;
    }, EVERY);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#mean = 0;
  }
}
