import { Dice } from './internal/dice.ts';
import { drawAccepted } from './internal/draw.ts';
import type { Accept, Choice, Picker, Strategy } from './strategy.ts';
import type { Upstream } from './upstream.ts';

/** Any server, all with the same chance. Cost: O(1), no state. Busy servers are chosen as often as idle ones. */
export function random(): Strategy {
  return { name: 'random', start: (tools) => new RandomPicker(new Dice(tools.random)) };
}

class RandomPicker implements Picker {
  readonly #dice: Dice;
  #upstreams: readonly Upstream[] = [];
  #length = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  update(upstreams: readonly Upstream[]): void {
    this.#upstreams = upstreams;
    this.#length = upstreams.length;
  }

  pick(_choice: Choice, accept: Accept | undefined): number {
    if (accept !== undefined) return drawAccepted(this.#upstreams, accept, () => 1, this.#dice);
    return this.#dice.below(this.#length);
  }
}
