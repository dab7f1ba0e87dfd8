import type { HistogramSample } from './component.ts';

/** Upper bounds of the buckets, in seconds. */
const bounds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** How long things took, in buckets from 1 ms to 30 s, for a component's metrics. */
export class Durations {
  readonly #counts: number[] = new Array<number>(bounds.length + 1).fill(0);
  #sum = 0;

  /** Counts one. O(1), allocates nothing. */
  observe(ms: number): void {
    const seconds = ms / 1000;
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket += 1;
    this.#counts[bucket]! += 1;
    this.#sum += seconds;
  }

  /** All of them up to now, in seconds. `name` ends in `_seconds`. */
  sample(name: string, help: string, labels: HistogramSample['labels']): HistogramSample {
    return { name, help, type: 'histogram', labels, bounds, counts: [...this.#counts], sum: this.#sum };
  }
}
