const KEPT = 128;
const ENOUGH = 20;
const RENEWED_EVERY = 16;

/** The 95th percentile of the last 128 latencies, worked out anew every 16. */
export class RecentLatency {
  readonly #ring: number[] = [];
  #at = 0;
  #p95: number | undefined;

  /** Ms; undefined until 20 calls have been seen. At least 1. */
  get p95(): number | undefined {
    return this.#p95;
  }

  add(ms: number): void {
    this.#ring[this.#at % KEPT] = ms;
    this.#at += 1;
    if (this.#at < ENOUGH || (this.#at > ENOUGH && this.#at % RENEWED_EVERY !== 0)) return;
    const sorted = this.#ring.toSorted((a, b) => a - b);
    this.#p95 = Math.max(1, sorted[Math.ceil(sorted.length * 0.95) - 1]!);
  }
}
