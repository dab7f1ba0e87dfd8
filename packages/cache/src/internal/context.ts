import { type Duration, duration } from '@weir/core';
import type { LoadContext } from '../cache-options.ts';
import { type Scope, tagsIn } from './identity.ts';
import type { Flight, Load } from './load.ts';
import { orZero } from './settings.ts';
import type { Store } from './store.ts';

/** What a batch loader is handed. */
export class BatchContext implements Pick<LoadContext, 'signal'> {
  readonly #flight: Flight;

  constructor(flight: Flight) {
    this.#flight = flight;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }
}

/** What a loader is handed; it may take it to pieces. */
export class Context extends BatchContext implements LoadContext {
  readonly #store: Store;
  readonly #load: Load;
  readonly #scope: Scope;

  constructor(store: Store, flight: Flight, load: Load, scope: Scope) {
    super(flight);
    this.#store = store;
    this.#load = load;
    this.#scope = scope;
  }

  get stale(): unknown {
    return this.#store.copy(this.#load.stale?.value);
  }

  readonly setTtl = (ttl: Duration): void => {
    this.#load.ttlMs = duration(ttl, 'ttl', orZero);
  };

  readonly tags = (tags: string | readonly string[]): void => {
    this.#store.inFlight.addTags(this.#load, tagsIn(this.#scope, tags));
  };
}
