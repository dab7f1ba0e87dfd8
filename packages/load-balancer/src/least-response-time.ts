import { type Duration, duration, knownOptions, type Random } from '@weir/core';
import { Dice } from './internal/dice.ts';
import { PairPicker } from './internal/pair-picker.ts';
import { decayed } from './internal/peak-ewma.ts';
import { type Cost, few, RotatingScan } from './internal/rotating-scan.ts';
import type { Accept, Choice, Picker, Strategy } from './strategy.ts';
import type { Upstream } from './upstream.ts';

export interface LeastResponseTimeOptions {
  /** How long a slow answer is held against a server: after this time it counts by half. 1 ms to 1 h. @default '10s' */
  readonly decay?: Duration;
}

/**
 * The server that promises the quickest answer: the least peak EWMA of its response times x (in flight + 1) / weight.
 * Without the requests in flight, all would rush to the one that was quickest last. Up to 16 servers all are compared,
 * from there on two drawn at random, which is O(1) and keeps many balancers from rushing to the same one.
 *
 * Response times are those that leases are released with; where one is not, the pool measures it. A server of which
 * nothing is known is given one request, and no other until that is answered. Cost: a clock read a request.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 */
export function leastResponseTime(options: LeastResponseTimeOptions = {}): Strategy {
  knownOptions(options, ['decay'], 'leastResponseTime');
  const decayMs = duration(options.decay ?? '10s', 'decay', { min: 1, max: 3_600_000 });
  return { name: 'least-response-time', start: ({ random }) => new LeastResponseTime(random, decayMs) };
}

class LeastResponseTime implements Picker {
  readonly ramps = true;
  readonly latencyDecayMs: number;
  readonly #scan: RotatingScan;
  readonly #pair: PairPicker;
  #upstreams: readonly Upstream[] = [];

  constructor(random: Random, decayMs: number) {
    const cost: Cost = (upstream, now) => {
      const { inFlight, effectiveWeight, latencyMs } = upstream;
      if (latencyMs === 0) return inFlight === 0 ? 0 : Number.MAX_VALUE;
      return (decayed(upstream, now, decayMs) * (inFlight + 1)) / effectiveWeight;
    };
    this.latencyDecayMs = decayMs;
    this.#scan = new RotatingScan(cost);
    this.#pair = new PairPicker(new Dice(random), cost);
  }

  update(upstreams: readonly Upstream[]): void {
    this.#upstreams = upstreams;
    this.#pair.update(upstreams);
  }

  pick(choice: Choice, accept: Accept | undefined, now: number): number {
    return this.#upstreams.length > few
      ? this.#pair.pick(choice, accept, now)
      : this.#scan.choose(this.#upstreams, accept, now);
  }
}
