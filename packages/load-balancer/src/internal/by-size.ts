import type { Random } from '@weir/core';
import { leastConnections } from '../least-connections.ts';
import { leastResponseTime } from '../least-response-time.ts';
import type { Accept, Choice, Picker, Strategy } from '../strategy.ts';
import type { Upstream } from '../upstream.ts';
import { few } from './rotating-scan.ts';

/**
 * What a pool does unless told otherwise: least connections up to 16 servers; with more, of two drawn at random the one
 * that promises the quicker answer, since many servers usually stand behind many balancers, and what one of them has in
 * flight then says little.
 */
export function bySize(): Strategy {
  return { name: 'least-connections or least-response-time', start: ({ random }) => new BySize(random) };
}

class BySize implements Picker {
  readonly ramps = true;
  readonly #random: Random;
  #many: boolean | undefined;
  #picker!: Picker;

  constructor(random: Random) {
    this.#random = random;
  }

  get latencyDecayMs(): number | undefined {
    return this.#picker.latencyDecayMs;
  }

  update(upstreams: readonly Upstream[], all: readonly Upstream[]): void {
    const many = all.length > few;
    if (many !== this.#many) {
      this.#many = many;
      this.#picker = (many ? leastResponseTime() : leastConnections()).start({ random: this.#random });
    }
    this.#picker.update(upstreams, all);
  }

  pick(choice: Choice, accept: Accept | undefined, now: number): number {
    return this.#picker.pick(choice, accept, now);
  }

  loaded(index: number, by: 1 | -1): void {
    this.#picker.loaded?.(index, by);
  }
}
