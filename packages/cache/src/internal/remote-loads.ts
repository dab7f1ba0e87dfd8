import type { LockedRead, RemoteRead } from '../remote.ts';
import { orStale } from './flights.ts';
import { type Flight, Load, quiet } from './load.ts';
import { deadAt, type Entry, entryOf } from './memory.ts';
import type { Store } from './store.ts';
import type { Tier } from './tier.ts';

type Reads = readonly (RemoteRead & Partial<LockedRead>)[];

/** What loads have to do with the remote tier: they ask it first, and offer it what they have loaded. */
export class RemoteLoads {
  readonly #store: Store;
  readonly #tier: Tier;

  constructor(store: Store, tier: Tier) {
    this.#store = store;
    this.#tier = tier;
  }

  /**
   * Takes what the tier has, or what another process that is loading the same will have written.
   *
   * @returns whether the loader is to be called, for the loads that the flight is left with.
   */
  ask(flight: Flight): Promise<boolean> {
    return this.#reads(flight.loads).then((reads) => {
      if (this.#look(flight, reads)) return this.#askAgain(flight);
      return !flight.over && flight.loads.length > 0;
    });
  }

  /** Waits for another process that is loading the same, as long as a load may wait. */
  async #askAgain(flight: Flight): Promise<boolean> {
    const { time } = this.#store;
    const giveUpAt = flight.loads[0]!.askedAt + this.#tier.lockWait;
    for (;;) {
      const [load] = flight.loads;
      if (flight.over || load === undefined) return false;
      const left = giveUpAt - time.exact();
      if (left <= 0 || !(await this.#changed(load.key, left))) return !flight.over;
      const busy = this.#look(flight, await this.#reads(flight.loads));
      if (!busy) return !flight.over && flight.loads.length > 0;
    }
  }

  /** Offers the tier what was loaded. Memory keeps it when the tier has, or cannot say. */
  commit(load: Load, entry: Entry): void {
    if (load.stamp === undefined) {
      this.#store.commit(load, entry);
      return;
    }
    load.locked = false;
    load.commit = this.#write(load, entry);
    this.#store.lend(load.flight?.plan.waitUntil, load.commit);
  }

  /** Lets another process load what this one has come to no value with. */
  release(load: Load): void {
    if (!load.locked) return;
    load.locked = false;
    this.#tier.release(load.key, load.stamp!).catch((error: unknown) => this.#store.fault(error));
  }

  /** Reads one key for `get`, and loads nothing. Callers that come meanwhile share the read. */
  lookUp(key: string): Promise<Entry | undefined> {
    const { inFlight } = this.#store;
    const under = inFlight.get(key);
    const shareable = under !== undefined && under.flight === undefined && under.since === inFlight.count;
    if (shareable) return under.promise as Promise<Entry | undefined>;
    const load = new Load(key, key, undefined, undefined, inFlight.count, this.#store.time.exact());
    // Beside a load under way it only reads: that one will keep what is newer.
    if (under?.flight === undefined) inFlight.begin(load);
    void this.#lookUp(load);
    return load.promise as Promise<Entry | undefined>;
  }

  async #lookUp(load: Load): Promise<void> {
    const store = this.#store;
    const [read] = await this.#reads([load]);
    const entry = this.#entryFrom(load, read);
    const fresh = entry !== undefined && store.time.exact() < entry.freshUntil;
    if (fresh || (entry !== undefined && store.alive(load.key) === undefined)) store.commit(load, entry);
    else store.finish(load);
    load.resolve(fresh ? entry : undefined);
  }

  /** Hears what the tier has. @returns whether another process is loading what the flight is left with. */
  #look(flight: Flight, reads: Reads): boolean {
    let busy = false;
    const left: Load[] = [];
    flight.loads.forEach((load, index) => {
      const read = reads[index];
      if (read !== undefined) {
        load.stamp = read.stamp;
        load.locked = read.lock === 'held';
      }
      if (load.done) {
        this.release(load);
        return;
      }
      busy = read?.lock === 'busy';
      if (!this.#take(flight, load, read, left)) left.push(load);
    });
    flight.loads = left;
    return busy;
  }

  /** Ends a load with what the tier has, if that is of use. */
  #take(flight: Flight, load: Load, read: RemoteRead | undefined, left: Load[]): boolean {
    const { inFlight, time } = this.#store;
    const entry = this.#entryFrom(load, read);
    if (entry === undefined) return false;
    const now = time.exact();
    if ((load.early ?? now) < entry.freshUntil && now < entry.freshUntil) {
      this.release(load);
      this.#store.commit(load, entry);
      load.resolve(entry.value);
      return true;
    }
    // A stale one is of use where there is nothing else.
    if (now < entry.freshUntil || inFlight.get(load.key) !== load) return false;
    if (this.#store.alive(load.key) !== undefined) return false;
    this.#store.commit(load, entry);
    left.push(this.#renew(flight, load, entry));
    return true;
  }

  /** The tier had a stale value: it answers those who wait as one from memory would, and a new load renews it. */
  #renew(flight: Flight, load: Load, entry: Entry): Load {
    const renewal = this.#store.begin(flight, load.userKey, load.key, entry);
    renewal.stamp = load.stamp;
    renewal.locked = load.locked;
    renewal.pinned = true;
    quiet(renewal.promise);
    this.#store.lend(flight.plan.waitUntil, renewal.promise);
    load.resolve(this.#store.settings.softTimeout === 0 ? entry.value : orStale(this.#store, renewal, entry));
    return renewal;
  }

  /** What the tier has; nothing if it fails. */
  #reads(loads: readonly Load[]): Promise<Reads> {
    const { time, counts } = this.#store;
    const askedAt = time.exact();
    for (const load of loads) load.askedAt = askedAt;
    const reading: Promise<Reads> = this.#locks(loads)
      ? this.#tier.readLocking(loads[0]!.key)
      : this.#tier.read(loads.map((load) => load.key));
    const count = (reads: Reads): Reads => {
      let hits = 0;
      for (const read of reads) if (read.entry !== undefined) hits += 1;
      counts.remoteHit += hits;
      counts.remoteMiss += loads.length - hits;
      return reads;
    };
    return reading.then(count, (error: unknown) => {
      this.#store.fault(error);
      return count([]);
    });
  }

  /** A batch loads at once what is missing, and an early renewal is a matter of chance: neither waits for others. */
  #locks(loads: readonly Load[]): boolean {
    const [load] = loads;
    if (this.#tier.lockWait === 0 || load?.flight === undefined) return false;
    return !load.flight.batch && load.early === undefined;
  }

  async #changed(key: string, ms: number): Promise<boolean> {
    try {
      await this.#tier.changed(key, ms);
      return true;
    } catch {
      return false;
    }
  }

  /** What a remote read is worth here; undefined if it is dead or makes no sense. */
  #entryFrom(load: Load, read: RemoteRead | undefined): Entry | undefined {
    if (read?.entry === undefined) return undefined;
    const { inFlight, time } = this.#store;
    try {
      const { value, tags, ttlMs: ttl, graceMs, loadMs, ageMs } = read.entry;
      if (!Number.isFinite(ttl + graceMs + loadMs + ageMs))
        throw new TypeError('a remote entry has no times');
      inFlight.addTags(load, tags);
      const entry = entryOf({
        key: load.key,
        value: this.#store.guard(value),
        tags,
        // Counted from before the question, so that memory never outlives the tier.
        storedAt: load.askedAt - Math.max(0, ageMs),
        ttl,
        graceMs,
        loadMs,
      });
      return time.exact() < deadAt(entry) ? entry : undefined;
    } catch (error) {
      this.#store.fault(error);
      return undefined;
    }
  }

  async #write(load: Load, entry: Entry): Promise<void> {
    const { memory } = this.#store;
    let current = true;
    try {
      current = await this.#tier.write(entry, load.stamp);
    } catch (error) {
      this.#store.fault(error);
    }
    if (current) this.#store.commit(load, entry);
    else if (this.#store.finish(load)) memory.delete(load.key);
  }
}
