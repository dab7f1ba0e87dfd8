/** Longer periods are not kept: this one takes up to 256 kB. */
const longest = 65_536;

/**
 * The smooth weighted round robin of nginx (`ngx_http_upstream_get_peer`): at each step every candidate gains its
 * weight, the one that has most is chosen, the first of equals, and pays the sum of all weights. After one period all
 * stand at 0 again, so the steps of the first period are kept and repeated.
 */
export class SmoothSequence {
  /** Steps until it repeats: the weights' sum over their greatest common divisor. */
  readonly period: number;
  readonly #weights: Float64Array;
  readonly #standing: Float64Array;
  /** Steps of the first period, as far as they are worked out. */
  readonly #steps: Int32Array;
  #known = 0;
  #at = 0;

  /** @param weights integers above 0 */
  constructor(weights: readonly number[]) {
    const divisor = weights.reduce(greatestCommonDivisor, 0) || 1;
    this.#weights = Float64Array.from(weights, (weight) => weight / divisor);
    this.#standing = new Float64Array(weights.length);
    this.period = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#steps = new Int32Array(this.period <= longest ? this.period : 0);
  }

  /** The index that is next in turn. Not to be called on an empty sequence. */
  next(): number {
    const at = this.#at;
    if (at < this.#known) {
      this.#at = at + 1;
      return this.#steps[at]!;
    }
    return this.#workOut();
  }

  #workOut(): number {
    const steps = this.#steps;
    if (steps.length > 0 && this.#known === steps.length) {
      this.#at = 1;
      return steps[0]!;
    }
    const step = this.#step();
    if (steps.length > 0) {
      steps[this.#known] = step;
      this.#known += 1;
      this.#at = this.#known;
    }
    return step;
  }

  #step(): number {
    const weights = this.#weights;
    const standing = this.#standing;
    let best = 0;
    for (let i = 0; i < standing.length; i += 1) {
      standing[i]! += weights[i]!;
      if (standing[i]! > standing[best]!) best = i;
    }
    standing[best]! -= this.period;
    return best;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
