import { LoadHeap, loadOf } from './internal/load-heap.ts';
import { few, RotatingScan } from './internal/rotating-scan.ts';
import type { Accept, Choice, Picker, Strategy } from './strategy.ts';
import type { Upstream } from './upstream.ts';

/**
 * The server with the fewest requests in flight for its weight, by (in flight + 1) / weight. Equals take turns: with the
 * first one always winning, many balancers that start together would all rush to the same server.
 *
 * Cost: O(n) up to 16 servers, O(log n) with more. Nothing allocated.
 */
export function leastConnections(): Strategy {
  return { name: 'least-connections', start: () => new LeastConnections() };
}

class LeastConnections implements Picker {
  readonly ramps = true;
  readonly #scan = new RotatingScan(loadOf);
  #upstreams: readonly Upstream[] = [];
  /** Only if there are many. */
  #heap: LoadHeap | undefined;

  update(upstreams: readonly Upstream[]): void {
    this.#upstreams = upstreams;
    this.#heap = upstreams.length > few ? new LoadHeap(upstreams) : undefined;
  }

  pick(_choice: Choice, accept: Accept | undefined, now: number): number {
    return this.#heap === undefined
      ? this.#scan.choose(this.#upstreams, accept, now)
      : this.#heap.choose(accept);
  }

  loaded(index: number, by: 1 | -1): void {
    this.#heap?.changed(index, by);
  }
}
