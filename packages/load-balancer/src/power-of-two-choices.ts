import { Dice } from './internal/dice.ts';
import { loadOf } from './internal/load-heap.ts';
import { PairPicker } from './internal/pair-picker.ts';
import type { Strategy } from './strategy.ts';

/**
 * Of two different servers drawn at random, the one with fewer requests in flight for its weight, by
 * (in flight + 1) / weight (Mitzenmacher, 2001). Cost: O(1). For many servers, or many balancers in front of them: chance
 * keeps balancers that know nothing of each other from agreeing on the same server.
 */
export function powerOfTwoChoices(): Strategy {
  return { name: 'power-of-two-choices', start: ({ random }) => new PairPicker(new Dice(random), loadOf) };
}
