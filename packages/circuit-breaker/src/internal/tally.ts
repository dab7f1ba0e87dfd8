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

/** Calls in one array element, 2 bits each. */
const PER_WORD = 16;

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
    const index = at >> 4;
    const shift = (at & 15) << 1;
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

  constructor(length: number) {
    this.#width = length / STEPS;
  }

  advance(now: number): void {
    const step = Math.floor(now / this.#width);
    // Negative: a clock that went back goes on in the newest step.
    for (let left = Math.min(step - this.#step, STEPS); left > 0; left -= 1)
      this.#clear(cell(step - left + 1));
    this.#step = Math.max(step, this.#step);
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
    const at = cell(this.#step);
    this.calls += 1;
    this.#calls[at]! += 1;
    if (bits === 0) return;
    this.#bad ??= new Array<number>(STEPS * 2).fill(0);
    this.failures += bits & 1;
    this.slow += bits >> 1;
    this.#bad[at]! += bits & 1;
    this.#bad[at + STEPS]! += bits >> 1;
  }
}

/** Where a step is kept; the origin of a clock may lie ahead. */
const cell = (step: number): number => ((step % STEPS) + STEPS) % STEPS;
