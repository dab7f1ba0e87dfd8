import type { Dice } from './dice.ts';

/**
 * Draws from a weighted set in O(1) (Walker, 1977; built as by Vose, 1991): each of n columns of equal height holds at
 * most two candidates, its own and an alias.
 */
export class AliasTable {
  readonly #own: Float64Array;
  readonly #alias: Int32Array;
  readonly #length: number;

  /** @param weights at least 0, not all of them 0. O(n) */
  constructor(weights: readonly number[]) {
    const { length } = weights;
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / length;
    this.#length = length;
    this.#own = Float64Array.from(weights, (weight) => weight / mean);
    this.#alias = Int32Array.from(weights, (_, i) => i);
    const low: number[] = [];
    const high: number[] = [];
    for (let i = 0; i < length; i += 1) (this.#own[i]! < 1 ? low : high).push(i);
    while (low.length > 0 && high.length > 0) {
      const poor = low.pop()!;
      const rich = high.at(-1)!;
      this.#alias[poor] = rich;
      this.#own[rich] = this.#own[rich]! - (1 - this.#own[poor]!);
      if (this.#own[rich]! < 1) low.push(high.pop()!);
    }
    // What rounding leaves over is full columns.
    for (const i of [...low, ...high]) this.#own[i] = 1;
  }

  /** One draw for both: the whole part chooses the column, the rest its half. */
  draw(dice: Dice): number {
    const scaled = dice.roll() * (this.#length / 2 ** 32);
    const column = Math.floor(scaled);
    return scaled - column < this.#own[column]! ? column : this.#alias[column]!;
  }
}
