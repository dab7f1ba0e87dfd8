import type { Accept } from '../strategy.ts';
import type { Upstream } from '../upstream.ts';

/** What a server costs; the lower the better. */
export type Cost = (upstream: Upstream, now: number) => number;

/** Up to this many servers all are looked at; beyond, there are cheaper ways. */
export const few = 16;

/** Compares all servers, beginning behind the one chosen last, so that equals take turns. O(n). */
export class RotatingScan {
  readonly #cost: Cost;
  #after = 0;

  constructor(cost: Cost) {
    this.#cost = cost;
  }

  /** The index of the cheapest that `accept` takes, or -1. */
  choose(upstreams: readonly Upstream[], accept: Accept | undefined, now: number): number {
    const { length } = upstreams;
    let index = this.#after < length ? this.#after : 0;
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let step = 0; step < length; step += 1) {
      const upstream = upstreams[index]!;
      const cost = this.#cost(upstream, now);
      if (cost < least && (accept === undefined || accept(upstream))) {
        least = cost;
        best = index;
      }
      index = index + 1 === length ? 0 : index + 1;
    }
    this.#after = best + 1;
    return best;
  }
}
