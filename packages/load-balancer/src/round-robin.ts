import { knownOptions, oneOf, type Random } from '@weir/core';
import type { Accept, Choice, Picker, Strategy } from './strategy.ts';
import type { Upstream } from './upstream.ts';

export interface TurnOptions {
  /**
   * Where the sequence begins. 'random' keeps many balancers that start at the same moment from sending their first
   * requests to the same server.
   *
   * @default 'first'
   */
  readonly start?: 'first' | 'random';
}

/** Each server in turn. Cost: O(1), no look at load; for servers that are alike and requests that are alike. */
export function roundRobin(options: TurnOptions = {}): Strategy {
  const start = readStart(options, 'roundRobin');
  return {
    name: 'round-robin',
    start: ({ random }) => new RoundRobin(start === 'random' ? random : undefined),
  };
}

/** @throws InvalidOptionError if it is neither 'first' nor 'random'. */
export function readStart(options: TurnOptions, where: string): 'first' | 'random' {
  knownOptions(options, ['start'], where);
  return oneOf(options.start ?? 'first', 'start', ['first', 'random'] as const);
}

class RoundRobin implements Picker {
  #upstreams: readonly Upstream[] = [];
  #length = 0;
  #next = 0;
  #random: Random | undefined;

  constructor(random: Random | undefined) {
    this.#random = random;
  }

  update(upstreams: readonly Upstream[]): void {
    this.#upstreams = upstreams;
    this.#length = upstreams.length;
    if (this.#random !== undefined && upstreams.length > 0) {
      this.#next = Math.floor(this.#random() * upstreams.length);
      this.#random = undefined;
    }
  }

  pick(_choice: Choice, accept: Accept | undefined): number {
    if (accept !== undefined) return this.#pickAmong(accept);
    if (this.#next >= this.#length) this.#next = 0;
    return this.#next++;
  }

  #pickAmong(accept: Accept): number {
    for (let tries = 0; tries < this.#length; tries += 1) {
      const index = this.pick({}, undefined);
      if (accept(this.#upstreams[index]!)) return index;
    }
    return -1;
  }
}
