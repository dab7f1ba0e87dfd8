import type { Accept } from '../strategy.ts';
import type { Upstream } from '../upstream.ts';
import type { Dice } from './dice.ts';

/**
 * Draws one of those that `accept` takes, each with a chance in proportion to its weight. O(n).
 *
 * @returns its index; -1 if there is none
 */
export function drawAccepted(
  upstreams: readonly Upstream[],
  accept: Accept,
  weightOf: (upstream: Upstream) => number,
  dice: Dice,
): number {
  let drawn = -1;
  let total = 0;
  for (let i = 0; i < upstreams.length; i += 1) {
    const upstream = upstreams[i]!;
    if (!accept(upstream)) continue;
    // Each takes the place of the one before it with a chance of its weight among those seen so far.
    const weight = weightOf(upstream);
    total += weight;
    if (drawn === -1 || dice.below(total) < weight) drawn = i;
  }
  return drawn;
}
