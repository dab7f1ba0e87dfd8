import type { Accept, Choice, Picker } from '../strategy.ts';
import type { Upstream } from '../upstream.ts';
import type { Dice } from './dice.ts';
import type { Cost } from './rotating-scan.ts';

/** Draws two different servers and takes the cheaper one (Mitzenmacher, 2001). O(1); O(n) among accepted ones. */
export class PairPicker implements Picker {
  readonly ramps = true;
  readonly #dice: Dice;
  readonly #cost: Cost;
  #upstreams: readonly Upstream[] = [];

  constructor(dice: Dice, cost: Cost) {
    this.#dice = dice;
    this.#cost = cost;
  }

  update(upstreams: readonly Upstream[]): void {
    this.#upstreams = upstreams;
  }

  pick(_choice: Choice, accept: Accept | undefined, now: number): number {
    if (accept !== undefined) return this.#pickAmong(accept, now);
    const { length } = this.#upstreams;
    if (length === 1) return 0;
    // One draw for both: there are length * (length - 1) ordered pairs.
    const pair = this.#dice.below(length * (length - 1));
    const a = Math.floor(pair / (length - 1));
    const b = pair - a * (length - 1);
    return this.#cheaper(a, b < a ? b : b + 1, now);
  }

  #cheaper(a: number, b: number, now: number): number {
    const costA = this.#cost(this.#upstreams[a]!, now);
    return this.#cost(this.#upstreams[b]!, now) < costA ? b : a;
  }

  /** Any two of those accepted, each pair with the same chance. */
  #pickAmong(accept: Accept, now: number): number {
    let a = -1;
    let b = -1;
    let seen = 0;
    for (let i = 0; i < this.#upstreams.length; i += 1) {
      if (!accept(this.#upstreams[i]!)) continue;
      seen += 1;
      const place = seen <= 2 ? seen - 1 : this.#dice.below(seen);
      if (place === 0) a = i;
      else if (place === 1) b = i;
    }
    return b === -1 ? a : this.#cheaper(a, b, now);
  }
}
