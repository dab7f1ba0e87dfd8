import type { Awaitable, Clock } from '@weir/core';
import type { StoreAnswer, StoreKey, StoreRequest } from '../store.ts';
import type { Batcher } from './batcher.ts';
import type { Counts } from './counts.ts';
import { Lease } from './lease.ts';
import type { LimitSet } from './limit-set.ts';

export interface LeaseSettings {
  /** Units at most. */
  readonly max: number;
  /** Of a limit's capacity at most. */
  readonly share: number;
  readonly forMs: number;
}

/** The leases of this process, one for each key that is asked for. */
export class Leases {
  readonly #counts: Counts;
  /** What many leases ask for in one turn is one call. */
  readonly #batcher: Batcher;
  readonly #settings: LeaseSettings;
  readonly #clock: Clock;
  readonly #limiters = new Map<string, Map<LimitSet, Map<string, Lease>>>();
  #sweeping: ReturnType<typeof setInterval> | undefined;

  constructor(counts: Counts, batcher: Batcher, settings: LeaseSettings, clock: Clock) {
    this.#counts = counts;
    this.#batcher = batcher;
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Undefined: the limit is too small to be leased. */
  take(request: StoreRequest): Awaitable<StoreAnswer> | undefined {
    const set = this.#counts.sets.of(request.limits);
    const { max, share, forMs } = this.#settings;
    const most = Math.min(max, Math.floor(set.capacity * share));
    // A lease of one unit is a call for each decision.
    if (most < 2) return undefined;
    let lease = this.#find(request, set);
    if (lease === undefined) {
      lease = new Lease(this.#counts, this.#batcher, request, set, { most, forMs }, this.#clock);
      this.#keysOf(request.limiter, set).set(request.key, lease);
      this.#sweep();
    }
    return lease.take(request.cost);
  }

  /** An answer of Redis, with what is held here. */
  withLease(request: StoreRequest, answer: StoreAnswer): StoreAnswer {
    const lease = this.#find(request, this.#counts.sets.of(request.limits));
    return lease === undefined || request.mode === 'turn' ? answer : lease.added(answer, request.cost);
  }

  giveBack(key: StoreKey): void {
    void this.#find(key, this.#counts.sets.of(key.limits))?.giveBack();
  }

  forget(key: StoreKey): void {
    this.#find(key, this.#counts.sets.of(key.limits))?.forget();
  }

  async close(limiter: string): Promise<void> {
    const sets = this.#limiters.get(limiter);
    this.#limiters.delete(limiter);
    const leases = [...(sets?.values() ?? [])].flatMap((keys) => [...keys.values()]);
    if (this.#limiters.size === 0) this.#stop();
    await Promise.all(leases.map((lease) => lease.giveBack()));
  }

  #find(key: StoreKey, set: LimitSet): Lease | undefined {
    return this.#limiters.get(key.limiter)?.get(set)?.get(key.key);
  }

  #keysOf(limiter: string, set: LimitSet): Map<string, Lease> {
    let sets = this.#limiters.get(limiter);
    if (sets === undefined) this.#limiters.set(limiter, (sets = new Map()));
    let keys = sets.get(set);
    if (keys === undefined) sets.set(set, (keys = new Map()));
    return keys;
  }

  /** Gives back what has run out on keys that nobody asks for any more, while there are leases. */
  #sweep(): void {
    if (this.#sweeping !== undefined) return;
    this.#sweeping = setInterval(() => {
      const now = this.#clock.now();
      for (const [limiter, sets] of this.#limiters) {
        for (const [set, keys] of sets) {
          for (const [key, lease] of keys) if (lease.expire(now)) keys.delete(key);
          if (keys.size === 0) sets.delete(set);
        }
        if (sets.size === 0) this.#limiters.delete(limiter);
      }
      if (this.#limiters.size === 0) this.#stop();
    }, this.#settings.forMs / 2);
    (this.#sweeping as { unref?(): void }).unref?.();
  }

  #stop(): void {
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}
