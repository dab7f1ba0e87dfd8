const STEPS = 10;

/** Two counters over a rolling window of ten steps. O(1). */
export class RollingCounts {
  first = 0;
  second = 0;
  readonly #width: number;
  readonly #steps: number[] = new Array<number>(STEPS * 2).fill(0);
  #step = 0;

  constructor(length: number) {
    this.#width = length / STEPS;
  }

  /** Forgets what has left the window. */
  advance(now: number): void {
    const step = Math.floor(now / this.#width);
    const steps = this.#steps;
    for (let left = Math.min(step - this.#step, STEPS); left > 0; left -= 1) {
      const at = (((step - left + 1) % STEPS) + STEPS) % STEPS;
      this.first -= steps[at]!;
      this.second -= steps[at + STEPS]!;
      steps[at] = steps[at + STEPS] = 0;
    }
    // A clock that goes back goes on in the newest step.
    this.#step = Math.max(step, this.#step);
  }

  addFirst(): void {
    this.first += 1;
    this.#steps[this.#at()]! += 1;
  }

  addSecond(): void {
    this.second += 1;
    this.#steps[this.#at() + STEPS]! += 1;
  }

  #at(): number {
    return ((this.#step % STEPS) + STEPS) % STEPS;
  }
}
