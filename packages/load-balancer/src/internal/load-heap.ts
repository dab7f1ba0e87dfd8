import type { Accept } from '../strategy.ts';
import type { Upstream } from '../upstream.ts';

/** How much a server has to do for its weight, once it were given one more request. */
export function loadOf({ inFlight, effectiveWeight }: Upstream): number {
  return (inFlight + 1) / effectiveWeight;
}

/**
 * Servers by their load, equals by when they were last given a request: a binary heap that knows where each one sits.
 * O(log n) for a change, nothing allocated.
 */
export class LoadHeap {
  readonly #upstreams: readonly Upstream[];
  /** Indices of servers in heap order, and the place of each in it. */
  readonly #heap: Int32Array;
  readonly #place: Int32Array;
  readonly #load: Float64Array;
  readonly #takenAt: Float64Array;
  #time: number;

  constructor(upstreams: readonly Upstream[]) {
    const { length } = upstreams;
    this.#upstreams = upstreams;
    this.#heap = Int32Array.from({ length }, (_, i) => i);
    this.#place = this.#heap.slice();
    this.#load = Float64Array.from(upstreams, loadOf);
    this.#takenAt = Float64Array.from(this.#heap);
    this.#time = length;
    for (let place = (length >> 1) - 1; place >= 0; place -= 1) this.#sink(place);
  }

  /** The index of the least loaded that `accept` takes, or -1. Without `accept` O(1), with it O(n). */
  choose(accept: Accept | undefined): number {
    if (accept === undefined) return this.#heap[0]!;
    let best = -1;
    for (let i = 0; i < this.#upstreams.length; i += 1) {
      if (accept(this.#upstreams[i]!) && (best === -1 || this.#before(i, best))) best = i;
    }
    return best;
  }

  /** Takes note that a server has one request more or less in flight. */
  changed(index: number, by: 1 | -1): void {
    this.#load[index] = loadOf(this.#upstreams[index]!);
    if (by === -1) this.#rise(this.#place[index]!);
    else {
      this.#takenAt[index] = this.#time;
      this.#time += 1;
      this.#sink(this.#place[index]!);
    }
  }

  #before(a: number, b: number): boolean {
    const loadA = this.#load[a]!;
    const loadB = this.#load[b]!;
    return loadA < loadB || (loadA === loadB && this.#takenAt[a]! < this.#takenAt[b]!);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const { length } = heap;
    const index = heap[from]!;
    let place = from;
    for (let child = 2 * place + 1; child < length; child = 2 * place + 1) {
      if (child + 1 < length && this.#before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!this.#before(heap[child]!, index)) break;
      this.#put(heap[child]!, place);
      place = child;
    }
    this.#put(index, place);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const index = heap[from]!;
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#before(index, heap[parent]!)) break;
      this.#put(heap[parent]!, place);
      place = parent;
    }
    this.#put(index, place);
  }

  #put(index: number, place: number): void {
    this.#heap[place] = index;
    this.#place[index] = place;
  }
}
