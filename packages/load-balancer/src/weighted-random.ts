import { AliasTable } from './internal/alias-table.ts';
import { Dice } from './internal/dice.ts';
import { drawAccepted } from './internal/draw.ts';
import type { Accept, Choice, Picker, Strategy } from './strategy.ts';
import type { Upstream } from './upstream.ts';

/** Any server, with a chance in proportion to its weight. Cost: O(1), by an alias table that is O(n) to build. */
export function weightedRandom(): Strategy {
  return { name: 'weighted-random', start: (tools) => new WeightedRandom(new Dice(tools.random)) };
}

class WeightedRandom implements Picker {
  readonly #dice: Dice;
  #upstreams: readonly Upstream[] = [];
  #table = new AliasTable([]);

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  update(upstreams: readonly Upstream[]): void {
    this.#upstreams = upstreams;
    this.#table = new AliasTable(upstreams.map(({ weight }) => weight));
  }

  pick(_choice: Choice, accept: Accept | undefined): number {
    if (accept === undefined) return this.#table.draw(this.#dice);
    return drawAccepted(this.#upstreams, accept, ({ weight }) => weight, this.#dice);
  }
}
