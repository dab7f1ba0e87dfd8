import type { Clock } from '@weir/core';
import { unrefTimeout } from './timers.ts';

export interface SlotsSettings {
  readonly limit: number;
  readonly queue: number;
  readonly maxWait: number;
  /** After so long a slot is taken to be forgotten. Infinity: never. */
  readonly lease: number;
  readonly clock: Clock;
}

/** Gets a slot, or undefined if the wait was too long. */
type Waiter = (slot: number | undefined) => void;

/** A counting semaphore with a bounded, first-come queue, abortable waits and leases. O(1). */
export class Slots {
  readonly #settings: SlotsSettings;
  #last = 0;
  /** Slots in use, with the time each was taken, oldest first. */
  readonly #taken = new Map<number, number>();
  readonly #waiters = new Set<Waiter>();
  lapsed = 0;

  constructor(settings: SlotsSettings) {
    this.#settings = settings;
  }

  get inUse(): number {
    return this.#taken.size;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** A slot, the promise of one, or undefined: refused. The promise rejects with the signal's reason. */
  acquire(signal?: () => AbortSignal | undefined): number | Promise<number | undefined> | undefined {
    const { limit, queue } = this.#settings;
    if (this.#waiters.size === 0 && (this.#taken.size < limit || this.#reclaim())) return this.#take();
    return this.#waiters.size < queue ? this.#wait(signal?.()) : undefined;
  }

  release(slot: number): void {
    if (!this.#taken.delete(slot)) return;
    const [next] = this.#waiters;
    if (next !== undefined && this.#taken.size < this.#settings.limit) next(this.#take());
  }

  #take(): number {
    this.#last += 1;
    this.#taken.set(this.#last, this.#settings.lease === Infinity ? 0 : this.#settings.clock.now());
    return this.#last;
  }

  #reclaim(): boolean {
    const { lease, clock } = this.#settings;
    if (lease === Infinity) return false;
    for (const [slot, since] of this.#taken) {
      if (clock.now() - since < lease) return false;
      this.#taken.delete(slot);
      this.lapsed += 1;
      return true;
    }
    return false;
  }

  #wait(signal: AbortSignal | undefined): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = (slot) => {
        leave();
        resolve(slot);
      };
      const onAbort = (): void => {
        leave();
        reject(signal!.reason);
      };
      const timer = unrefTimeout(
        () => waiter(this.#reclaim() ? this.#take() : undefined),
        this.#settings.maxWait,
      );
      signal?.addEventListener('abort', onAbort);
      this.#waiters.add(waiter);
    });
  }
}
