import type { BatchLoader, Loader, LoadOptions } from '../cache-options.ts';
import { BatchContext, Context } from './context.ts';
import { type Flights, orStale } from './flights.ts';
import { keyIn, type Scope } from './identity.ts';
import { Flight, type Load, quiet } from './load.ts';
import { deadAt, type Entry } from './memory.ts';
import type { Store } from './store.ts';

/** What a key came to: a value at hand, or something to wait for. */
type Found = { readonly value: unknown } | { readonly wait: Promise<unknown>; readonly load?: Load };

/** One call of `getOrLoad` or `getMany`. All loads that it begins make one flight. */
interface Request {
  readonly scope: Scope;
  readonly options: LoadOptions | undefined;
  readonly call: (flight: Flight) => unknown;
  readonly batch: boolean;
  /** Asks again for one key, in place of a value that had been overtaken when this call was made. */
  readonly again: (key: string) => unknown;
  flight?: Flight;
}

/** Decides what a caller gets: a value at hand, a load of its own, or a share of one under way. */
export class Reader {
  readonly #store: Store;
  readonly #flights: Flights;

  constructor(store: Store, flights: Flights) {
    this.#store = store;
    this.#flights = flights;
  }

  /** The short way for one of many who want the same missing key. */
  share(id: string, options: LoadOptions | undefined): Promise<unknown> | undefined {
    const { inFlight, counts, clones } = this.#store;
    const load = inFlight.get(id);
    if (load?.flight === undefined || load.since !== inFlight.count || load.commit !== undefined)
      return undefined;
    if (clones || options?.signal !== undefined) return undefined;
    counts.coalesced += 1;
    load.pinned = true;
    return load.promise;
  }

  /** @param id the key as it is stored */
  getOrLoad(
    scope: Scope,
    key: string,
    id: string,
    loader: Loader<unknown>,
    options: LoadOptions | undefined,
  ): unknown {
    const request: Request = {
      scope,
      options,
      batch: false,
      call: (flight) => loader(new Context(this.#store, flight, flight.loads[0]!, scope)),
      again: () => this.getOrLoad(scope, key, id, loader, options),
    };
    const found = this.#find(request, key, id);
    this.#start(request);
    if ('value' in found) return found.value;
    return this.#wait(found.wait, found.load === undefined ? [] : [found.load], options);
  }

  getMany(
    scope: Scope,
    keys: readonly string[],
    loader: BatchLoader<unknown>,
    options: LoadOptions | undefined,
  ): unknown {
    const call = (flight: Flight): unknown => {
      const missing = flight.loads.map((load) => load.userKey);
      return loader(missing, new BatchContext(flight));
    };
    const again = async (key: string): Promise<unknown> => {
      const values = await this.getMany(scope, [key], loader, options);
      return (values as readonly unknown[])[0];
    };
    const request: Request = { scope, options, batch: true, call, again };
    const ids = keys.map((key) => keyIn(scope, key));
    const found = ids.map((id, index) => this.#find(request, keys[index]!, id));
    this.#start(request);
    if (found.every((each) => 'value' in each)) return found.map((each) => each.value);
    const loads = found.flatMap((each) => ('load' in each && each.load !== undefined ? [each.load] : []));
    const values = Promise.all(found.map((each) => ('value' in each ? each.value : each.wait)));
    return this.#wait(values, loads, options);
  }

  /** Decides what a key comes to, and registers a load where one is wanted; `#start` sets it going. */
  #find(request: Request, key: string, id: string): Found {
    const { memory, inFlight, settings, time, counts } = this.#store;
    const now = time.exact();
    const entry = memory.get(id);
    const under = inFlight.get(id);
    const load = under?.flight === undefined ? undefined : under;
    if (entry !== undefined && now < entry.freshUntil) {
      counts.hit += 1;
      if (entry.failed) return { wait: rejected(entry.value) };
      if (load === undefined) this.#renewEarly(request, key, id, entry, now);
      return this.#atHand(entry);
    }
    if (entry !== undefined && !entry.failed && now < deadAt(entry)) {
      counts.stale += 1;
      if (resting(entry, now)) return this.#atHand(entry);
      const renewal = load ?? this.#add(request, key, id, entry);
      if (now - renewal.startedAt < settings.softTimeout) return this.#join(request, renewal, entry);
      this.#behind(request, renewal);
      return this.#atHand(entry);
    }
    if (entry !== undefined) memory.delete(id);
    const signal = request.options?.signal;
    if (signal?.aborted) return { wait: rejected(signal.reason) };
    if (load !== undefined) {
      counts.coalesced += 1;
      return this.#join(request, load);
    }
    counts.miss += 1;
    const own = this.#add(request, key, id, undefined);
    return { wait: own.promise, load: own };
  }

  /** XFetch: begins a renewal if a value that was fresh no longer than `entry` would be, so far ahead, would not do. */
  #renewEarly(request: Request, key: string, id: string, entry: Entry, now: number): void {
    const { earlyRefresh, random } = this.#store.settings;
    if (earlyRefresh === 0 || now < entry.quietUntil || resting(entry, now)) return;
    const ahead = now - entry.loadMs * earlyRefresh * Math.log(random());
    if (ahead < entry.freshUntil) return;
    const load = this.#add(request, key, id, entry);
    load.early = ahead;
    this.#behind(request, load);
  }

  #atHand(entry: Entry): Found {
    return { value: this.#store.copy(entry.value) };
  }

  #add(request: Request, key: string, id: string, stale: Entry | undefined): Load {
    request.flight ??= new Flight(
      this.#store.plan(request.scope, request.options),
      request.call,
      request.batch,
    );
    return this.#store.begin(request.flight, key, id, stale);
  }

  #start({ flight }: Request): void {
    if (flight !== undefined) this.#flights.start(flight);
  }

  /** The load goes on behind the answer. */
  #behind(request: Request, load: Load): void {
    load.pinned = true;
    quiet(load.promise);
    this.#store.lend(request.options?.waitUntil, load.promise);
  }

  /** Shares a load that another call may have begun. */
  #join(request: Request, load: Load, stale?: Entry): Found {
    if (load.commit !== undefined) return { wait: load.commit.then(() => request.again(load.userKey)) };
    const promise = stale === undefined ? load.promise : orStale(this.#store, load, stale);
    if (load.since === this.#store.inFlight.count) return { wait: promise, load };
    // Some tag was invalidated since it began. Whether that concerns this load is known when all its tags are.
    const wait = promise.then((value) => (load.overtaken ? request.again(load.userKey) : value));
    quiet(wait);
    return { wait, load };
  }

  #wait(
    promise: Promise<unknown>,
    loads: readonly Load[],
    options: LoadOptions | undefined,
  ): Promise<unknown> {
    const waiting = this.#leavable(promise, loads, options?.signal);
    return this.#store.clones ? waiting.then((value) => structuredClone(value)) : waiting;
  }

  /** Lets this caller go without the others. */
  #leavable(
    promise: Promise<unknown>,
    loads: readonly Load[],
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    if (signal === undefined) {
      for (const load of loads) load.pinned = true;
      return promise;
    }
    for (const load of loads) load.waiters += 1;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        for (const load of loads) {
          load.waiters -= 1;
          if (load.waiters === 0 && !load.pinned && !load.done) this.#flights.abandon(load, signal.reason);
        }
      };
      const stay = (): void => signal.removeEventListener('abort', leave);
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });
      promise.then(resolve, reject).finally(stay);
    });
  }
}

/** Whether a renewal has failed so lately that no other one is wanted. */
const resting = ({ retryAt }: Entry, now: number): boolean => retryAt !== undefined && now < retryAt;

/** A rejection that is only heard by whoever asks. */
function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  quiet(promise);
  return promise;
}
