import type { Settings } from './settings.ts';

/** Bits of a recorded call. */
export const FAILED = 1;
export const SLOW = 2;

/** Calls, failures and slow calls within a window. Every operation is O(1). */
export interface Tally {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** Forgets what has left the window. */
  advance(now: number): void;
  add(bits: number, now: number): void;
}

export const tallyFor = ({ timed, span }: Settings): Tally =>
  timed ? new TimeTally(span) : new CountTally(span);

/** How many calls fit in one array element: 30 bits stay a small integer on every engine. */
const PER_WORD = 15;

class CountTally implements Tally {
  calls = 0;
  failures = 0;
  slow = 0;
  readonly #size: number;
  readonly #words: number[];
  #at = 0;

  constructor(size: number) {
    this.#size = size;
    this.#words = new Array<number>(Math.ceil(size / PER_WORD)).fill(0);
  }

  advance(): void {}

  add(bits: number): void {
    const words = this.#words;
    const at = this.#at;
    const index = (at / PER_WORD) | 0;
    const shift = (at % PER_WORD) << 1;
    const word = words[index]!;
    const gone = (word >> shift) & 3;
    if (bits !== gone) {
      this.failures += (bits & 1) - (gone & 1);
      this.slow += (bits >> 1) - (gone >> 1);
      words[index] = word ^ ((gone ^ bits) << shift);
    }
    if (this.calls < this.#size) this.calls += 1;
    this.#at = at + 1 === this.#size ? 0 : at + 1;
  }
}

const STEPS = 10;

class TimeTally implements Tally {
  calls = 0;
  failures = 0;
  slow = 0;
  readonly #width: number;
  readonly #calls: number[] = new Array<number>(STEPS).fill(0);
  /** Failures and slow calls of each step. Most breakers never see one. */
  #bad: number[] | undefined;
  /** Steps since the clock's origin. */
  #step = 0;
  #ends = 0;
  #at = 0;

  constructor(length: number) {
    this.#width = length / STEPS;
  }

  advance(now: number): void {
    if (now < this.#ends) return;
    const step = Math.floor(now / this.#width);
    for (let left = Math.min(step - this.#step, STEPS); left > 0; left -= 1) {
      this.#at = this.#at === STEPS - 1 ? 0 : this.#at + 1;
      this.#clear(this.#at);
    }
    this.#step = step;
    this.#ends = (step + 1) * this.#width;
  }

  #clear(at: number): void {
    this.calls -= this.#calls[at]!;
    this.#calls[at] = 0;
    const bad = this.#bad;
    if (bad === undefined) return;
    this.failures -= bad[at]!;
    this.slow -= bad[at + STEPS]!;
    bad[at] = bad[at + STEPS] = 0;
  }

  add(bits: number, now: number): void {
    this.advance(now);
    this.calls += 1;
    this.#calls[this.#at]! += 1;
    if (bits === 0) return;
    this.#bad ??= new Array<number>(STEPS * 2).fill(0);
    this.failures += bits & 1;
    this.slow += bits >> 1;
    this.#bad[this.#at]! += bits & 1;
    this.#bad[this.#at + STEPS]! += bits >> 1;
  }
}
