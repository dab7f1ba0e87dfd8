import { BatchLoadError, LoadTimeoutError } from '../errors.ts';
import { unref } from './deadline.ts';
import type { Flight, Load } from './load.ts';
import { deadAt, type Entry } from './memory.ts';
import type { RemoteLoads } from './remote-loads.ts';
import type { Store } from './store.ts';

/** Runs loads: first the remote tier, if there is one, then the loader, until the hard timeout. */
export class Flights {
  readonly #store: Store;
  readonly #remote: RemoteLoads | undefined;

  constructor(store: Store, remote: RemoteLoads | undefined) {
    this.#store = store;
    this.#remote = remote;
  }

  start(flight: Flight): void {
    if (this.#remote === undefined) this.#call(flight);
    else this.#ask(flight, this.#remote);
  }

  /** Nobody waits for a load any more. */
  abandon(load: Load, reason: unknown): void {
    this.#store.finish(load);
    load.reject(reason);
    this.#remote?.release(load);
    if (load.flight?.deserted) load.flight.abort(reason);
  }

  #ask(flight: Flight, remote: RemoteLoads): void {
    void remote.ask(flight).then((call) => (call ? this.#call(flight) : flight.end()));
  }

  #call(flight: Flight): void {
    const store = this.#store;
    const { hardTimeoutMs } = flight.plan;
    flight.startedAt = store.time.exact();
    flight.timer = setTimeout(() => {
      const error = new LoadTimeoutError(store.name, hardTimeoutMs);
      this.#fail(flight, error);
      flight.abort(error);
    }, hardTimeoutMs);
    unref(flight.timer);
    called(flight).then(
      (result) => this.#arrive(flight, result),
      (error: unknown) => this.#fail(flight, error),
    );
  }

  #arrive(flight: Flight, result: unknown): void {
    if (flight.over) return;
    const { loads } = flight;
    const values: unknown = flight.batch ? result : [result];
    if (!Array.isArray(values) || values.length !== loads.length) {
      this.#fail(flight, new BatchLoadError(this.#store.name, loads.length, values));
      return;
    }
    const took = this.#land(flight);
    loads.forEach((load, index) => void (load.done || this.#keep(flight, load, values[index], took)));
  }

  #keep(flight: Flight, load: Load, result: unknown, took: number): void {
    let value: unknown;
    try {
      value = this.#store.guard(result);
    } catch (error) {
      this.#reject(load, error);
      return;
    }
    const entry = this.#store.settle(load, value, flight.plan, took);
    if (entry === undefined) this.#remote?.release(load);
    else (this.#remote ?? this.#store).commit(load, entry);
  }

  #fail(flight: Flight, error: unknown): void {
    if (flight.over) return;
    this.#land(flight);
    for (const load of flight.loads) if (!load.done) this.#reject(load, error);
  }

  #reject(load: Load, error: unknown): void {
    this.#store.reject(load, error);
    this.#remote?.release(load);
  }

  /** @returns how long the loader took. */
  #land(flight: Flight): number {
    flight.end();
    const took = this.#store.time.exact() - flight.startedAt;
    this.#store.durations.observe(took);
    return took;
  }
}

/** A loader that throws at once fails like one that rejects: when the callers of this turn have joined. */
function called(flight: Flight): Promise<unknown> {
  try {
    return Promise.resolve(flight.call(flight));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The value of a load, or the stale one that it renews: at the soft timeout, or when the load fails. */
export function orStale(store: Store, load: Load, entry: Entry): Promise<unknown> {
  const { memory, time, settings } = store;
  const servable = (): boolean => memory.holds(entry) && time.exact() < deadAt(entry);
  load.orStale ??= new Promise((resolve, reject) => {
    const soft = setTimeout(
      () => {
        if (servable()) resolve(entry.value);
      },
      settings.softTimeout - (time.exact() - load.startedAt),
    );
    unref(soft);
    const fallBack = (error: unknown): void => (servable() ? resolve(entry.value) : reject(error));
    load.promise.then(resolve, fallBack).finally(() => clearTimeout(soft));
  });
  return load.orStale;
}
