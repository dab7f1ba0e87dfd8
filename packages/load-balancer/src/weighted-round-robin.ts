import type { Random } from '@weir/core';
import { SmoothSequence } from './internal/smooth-sequence.ts';
import { readStart, type TurnOptions } from './round-robin.ts';
import type { Accept, Choice, Picker, Strategy } from './strategy.ts';
import type { Upstream } from './upstream.ts';

/**
 * Each server in turn, one of weight w as often as w servers of weight 1, and its turns spread out rather than in a row:
 * 5, 1, 1 gives `a a b a c a a`. The smooth weighted round robin of nginx. Over one period, the sum of the weights divided
 * by what they have in common, each server is chosen exactly in proportion.
 *
 * The sequence is worked out as it is first gone through, O(n) a step, and then read from a table: O(1). It begins anew
 * when servers come, go or change weight. Where a period is longer than 65,536, each step is worked out.
 */
export function weightedRoundRobin(options: TurnOptions = {}): Strategy {
  const start = readStart(options, 'weightedRoundRobin');
  return {
    name: 'weighted-round-robin',
    start: ({ random }) => new WeightedRoundRobin(start === 'random' ? random : undefined),
  };
}

class WeightedRoundRobin implements Picker {
  readonly #random: Random | undefined;
  #upstreams: readonly Upstream[] = [];
  #weights: readonly number[] = [];
  #sequence = new SmoothSequence([]);

  constructor(random: Random | undefined) {
    this.#random = random;
  }

  update(upstreams: readonly Upstream[]): void {
    const weights = upstreams.map(({ weight }) => weight);
    const same =
      weights.length === this.#weights.length &&
      weights.every((weight, i) => weight === this.#weights[i] && upstreams[i] === this.#upstreams[i]);
    if (same) return;
    this.#upstreams = upstreams;
    this.#weights = weights;
    this.#sequence = new SmoothSequence(weights);
    // No further than a period, and no further than is worked out in a moment.
    if (this.#random === undefined) return;
    const steps = Math.floor(this.#random() * Math.min(this.#sequence.period, 1024));
    for (let i = 0; i < steps; i += 1) this.#sequence.next();
  }

  pick(_choice: Choice, accept: Accept | undefined): number {
    return accept === undefined ? this.#sequence.next() : this.#pickAmong(accept);
  }

  #pickAmong(accept: Accept): number {
    for (let tries = 4 * this.#upstreams.length; tries > 0; tries -= 1) {
      const index = this.#sequence.next();
      if (accept(this.#upstreams[index]!)) return index;
    }
    // Those left weigh so little that their turns are far off.
    return this.#upstreams.findIndex(accept);
  }
}
