import type { Clock } from '@weir/core';
import { seededRandom } from '@weir/core/testing';
import { createPool, type Lease, type Pool, type Strategy } from '../src/index.ts';

/** Servers with exponential service times and one queue each, behind balancers that know nothing of each other. */
export interface Scenario {
  /** Mean service time of each server, ms. */
  readonly servers: readonly number[];
  /** Load as a share of what all servers can do together. */
  readonly load: number;
  readonly balancers: number;
  /** Server 0 stands still for the first `for` of every `every` ms. */
  readonly frozen?: { readonly for: number; readonly every: number };
}

export interface Result {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly longestQueue: number;
}

const alike = (n: number): number[] => Array.from({ length: n }, () => 10);

export const scenarios = {
  /** Ten servers alike. */
  A: { servers: alike(10), load: 0.8, balancers: 1 },
  /** Two of ten three times slower. */
  B: { servers: [...alike(8), 30, 30], load: 0.7, balancers: 1 },
  /** One of ten stops now and then. */
  C: { servers: alike(10), load: 0.5, balancers: 1, frozen: { for: 1_000, every: 10_000 } },
  /** A herd: a hundred servers, twenty balancers. */
  E: { servers: alike(100), load: 0.8, balancers: 20 },
} as const satisfies { readonly [name: string]: Scenario };

/** Requests come at random (Poisson), each to a random balancer; the first twentieth is not counted. */
export function simulate(
  scenario: Scenario,
  strategy: () => Strategy,
  options: { readonly requests: number; readonly seed: number; readonly weights?: readonly number[] },
): Result {
  const { servers, load, balancers, frozen } = scenario;
  const rng = seededRandom(options.seed);
  const exponential = (mean: number): number => -Math.log(1 - rng()) * mean;
  let now = 0;
  const clock: Clock = { now: () => now, epoch: () => now };
  const pools: Pool[] = Array.from({ length: balancers }, () =>
    createPool(
      servers.map((_, i) => ({ url: `http://s${i}`, weight: options.weights?.[i] ?? 1 })),
      { strategy: strategy(), clock, random: rng, outliers: false },
    ),
  );
  const between = 1 / (load * servers.reduce((sum, mean) => sum + 1 / mean, 0));
  const freeAt = servers.map(() => 0);
  const queued = servers.map(() => 0);
  const finished = new Events();
  const times: number[] = [];
  let longestQueue = 0;
  let arrival = exponential(between);
  for (let sent = 0; sent < options.requests || finished.size > 0; ) {
    if (sent < options.requests && arrival <= finished.nextAt) {
      now = arrival;
      arrival += exponential(between);
      sent += 1;
      const lease = pools[Math.floor(rng() * balancers)]!.acquire({})!;
      const server = Number(lease.upstream.url.slice('http://s'.length));
      const work = exponential(servers[server]!);
      const end = workedOff(Math.max(now, freeAt[server]!), work, server === 0 ? frozen : undefined);
      freeAt[server] = end;
      queued[server]! += 1;
      longestQueue = Math.max(longestQueue, queued[server]!);
      finished.add({ at: end, server, lease, since: now });
    } else {
      const { at, server, lease, since } = finished.take();
      now = at;
      queued[server]! -= 1;
      lease.release({ outcome: 'ok', durationMs: now - since });
      times.push(now - since);
    }
  }
  const counted = Float64Array.from(times.slice(times.length / 20)).sort();
  const quantile = (q: number): number => counted[Math.floor(q * counted.length)]!;
  return {
    mean: counted.reduce((sum, ms) => sum + ms, 0) / counted.length,
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
    longestQueue,
  };
}

/** When work that begins at `start` is done by a server that stands still now and then. */
function workedOff(start: number, work: number, frozen: Scenario['frozen']): number {
  if (frozen === undefined) return start + work;
  let at = start;
  let left = work;
  for (;;) {
    const phase = at % frozen.every;
    if (phase < frozen.for) at += frozen.for - phase;
    const untilFrozen = frozen.every - (at % frozen.every);
    if (left < untilFrozen) return at + left;
    left -= untilFrozen;
    at += untilFrozen;
  }
}

interface Finish {
  readonly at: number;
  readonly server: number;
  readonly lease: Lease;
  readonly since: number;
}

/** What comes next: a binary heap. */
class Events {
  readonly #heap: Finish[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  add(event: Finish): void {
    const heap = this.#heap;
    let i = heap.length;
    for (let parent = (i - 1) >> 1; i > 0 && heap[parent]!.at > event.at; parent = (i - 1) >> 1) {
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  take(): Finish {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}
