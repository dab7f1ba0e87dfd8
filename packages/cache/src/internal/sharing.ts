import { RemoteError } from '../errors.ts';
import type { Invalidation } from '../invalidation.ts';
import type { Entry } from './memory.ts';
import type { Peers } from './peers.ts';
import type { Store } from './store.ts';
import type { Tier } from './tier.ts';

/** Carries what was set and invalidated here to the remote tier and to the other processes, in this order. Rejects with a `RemoteError`. */
export class Sharing {
  readonly #store: Store;
  readonly #tier: Tier | undefined;
  readonly #peers: Peers | undefined;

  constructor(store: Store, tier: Tier | undefined, peers: Peers | undefined) {
    this.#store = store;
    this.#tier = tier;
    this.#peers = peers;
  }

  async invalidate(what: Invalidation): Promise<number> {
    const store = this.#store;
    const count = store.apply(what);
    const refused = await this.#attempt('an invalidation', this.#tier?.invalidate(what));
    // What was read from the tier in the meantime may be the old value.
    if (this.#tier !== undefined) store.apply(what);
    const unheard = await this.#attempt('an invalidation', this.#peers?.publish(what));
    if (refused ?? unheard) throw refused ?? unheard;
    return count;
  }

  async set(entry: Entry): Promise<void> {
    const { memory, inFlight } = this.#store;
    const { key } = entry;
    const refused = await this.#attempt('a write', this.#tier?.write(entry));
    if (this.#tier !== undefined) {
      inFlight.overtake(key);
      // Another value in its place may be one that was read from the tier before this write; and if the write has failed,
      // what the tier has is what counts.
      if (refused !== undefined || !memory.holds(entry)) memory.delete(key);
    }
    const unheard = await this.#attempt('a write', this.#peers?.publish({ kind: 'delete', keys: [key] }));
    if (refused ?? unheard) throw refused ?? unheard;
  }

  async #attempt(what: string, work: Promise<unknown> | undefined): Promise<RemoteError | undefined> {
    try {
      await work;
      return undefined;
    } catch (error) {
      const failed = new RemoteError(this.#store.name, what, error);
      this.#store.fault(failed);
      return failed;
    }
  }
}
