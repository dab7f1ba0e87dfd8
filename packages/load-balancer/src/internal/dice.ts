import type { Random } from '@weir/core';

/**
 * Uniform numbers in integer arithmetic: a choice that is made for every request must leave no garbage, and a call of
 * `Math.random` through a variable leaves a boxed number. Mulberry32, seeded from the pool's own source.
 */
export class Dice {
  #state: number;

  constructor(random: Random) {
    this.#state = (random() * 2 ** 32) | 0;
  }

  /** An integer from 0 to `n` - 1; `n` up to 2^32. */
  below(n: number): number {
    return Math.floor(this.roll() * (n / 2 ** 32));
  }

  /** An integer from 0 to 2^32 - 1. */
  roll(): number {
    const state = (this.#state + 0x6d2b79f5) | 0;
    this.#state = state;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}
