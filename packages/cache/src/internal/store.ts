import { type Channel, type Clock, channel, Durations, duration } from '@weir/core';
import type { LoadOptions, SetOptions } from '../cache-options.ts';
import type { Invalidation } from '../invalidation.ts';
import { type Scope, tagsIn } from './identity.ts';
import { InFlight } from './in-flight.ts';
import { type Flight, Load, type Plan } from './load.ts';
import { deadAt, type Entry, entryOf, Memory } from './memory.ts';
import { deepFreeze } from './protect.ts';
import { orZero, type Settings, timer } from './settings.ts';
import { type Time, timeOf } from './time.ts';

const faults: Channel = channel('weir:cache:error');

/** What a cache knows: the entries in memory, the loads under way, and how each changes the other. No waiting here. */
export class Store {
  readonly name: string;
  readonly settings: Settings;
  readonly time: Time;
  readonly memory: Memory;
  readonly inFlight: InFlight = new InFlight();
  readonly durations: Durations = new Durations();
  readonly counts = {
    hit: 0,
    stale: 0,
    miss: 0,
    coalesced: 0,
    loadErrors: 0,
    faults: 0,
    invalidations: 0,
    remoteHit: 0,
    remoteMiss: 0,
  };
  readonly clones: boolean;

  constructor(name: string, settings: Settings, clock: Clock | undefined) {
    this.name = name;
    this.settings = settings;
    this.time = timeOf(clock);
    this.memory = new Memory(settings);
    this.clones = settings.protect === 'clone';
  }

  /** The entry of a key, unless it is dead or a remembered failure. */
  alive(key: string): Entry | undefined {
    const entry = this.memory.peek(key);
    return entry === undefined || entry.failed || this.time.exact() >= deadAt(entry) ? undefined : entry;
  }

  /** What a caller may have of a kept value. */
  copy(value: unknown): unknown {
    return this.clones ? structuredClone(value) : value;
  }

  /** A value in the form in which it is kept. */
  guard(value: unknown): unknown {
    if (this.settings.protect === 'freeze') deepFreeze(value);
    return this.copy(value);
  }

  /** Reads the options of a call. */
  plan(scope: Scope, options: LoadOptions = {}): Plan {
    const { ttl, grace, hardTimeout, tags, waitUntil } = options;
    const { settings } = this;
    return {
      tags: tags === undefined ? scope.clearing : [...scope.clearing, ...tagsIn(scope, tags)],
      ttlMs: ttl === undefined ? undefined : duration(ttl, 'ttl', orZero),
      graceMs: grace === undefined ? settings.grace : duration(grace, 'grace', orZero),
      hardTimeoutMs:
        hardTimeout === undefined ? settings.hardTimeout : duration(hardTimeout, 'hardTimeout', timer),
      waitUntil,
    };
  }

  /** Keeps a value that a user sets. @returns its entry, or undefined if its ttl is 0. */
  set(scope: Scope, key: string, value: unknown, options: SetOptions | undefined): Entry | undefined {
    const { tags, ttlMs, graceMs } = this.plan(scope, options);
    const guarded = this.guard(value);
    this.inFlight.overtake(key);
    this.memory.delete(key);
    const ttl = this.#ttl(undefined, ttlMs, value);
    if (ttl === 0) return undefined;
    const entry = entryOf({ key, value: guarded, tags, storedAt: this.time.exact(), ttl, graceMs });
    this.memory.put(entry);
    return entry;
  }

  /** Registers a load. From here on it can be joined and overtaken. */
  begin(flight: Flight, userKey: string, key: string, stale: Entry | undefined): Load {
    const load = new Load(key, userKey, flight, stale, this.inFlight.count, this.time.exact());
    flight.loads.push(load);
    this.inFlight.begin(load);
    return load;
  }

  /**
   * Answers those who wait for a load.
   *
   * @returns the entry to commit, unless the value is not to be kept or something was invalidated meanwhile
   */
  settle(load: Load, value: unknown, plan: Plan, loadMs: number): Entry | undefined {
    load.done = true;
    load.resolve(value);
    if (load.overtaken) return undefined;
    const { key, tags } = load;
    const ttl = this.#ttl(load.ttlMs, plan.ttlMs, value);
    if (ttl > 0) {
      const storedAt = this.time.exact();
      return entryOf({ key, value, tags, storedAt, ttl, graceMs: plan.graceMs, loadMs });
    }
    this.finish(load);
    this.memory.delete(key);
    return undefined;
  }

  /** Ends a load, and keeps its value unless something was invalidated meanwhile. */
  commit(load: Load, entry: Entry): void {
    if (this.finish(load)) this.keep(entry);
  }

  /** Ends a load with its failure. */
  reject(load: Load, error: unknown): void {
    this.counts.loadErrors += 1;
    const { errorTtl } = this.settings;
    if (this.finish(load) && errorTtl > 0) {
      const { key, tags } = load;
      const storedAt = this.time.exact();
      const stale = this.alive(key);
      if (stale !== undefined) stale.retryAt = storedAt + errorTtl;
      else {
        this.keep(entryOf({ key, value: error, tags, storedAt, ttl: errorTtl, graceMs: 0, failed: true }));
      }
    }
    load.reject(error);
  }

  /** @returns whether the load may change what is kept. */
  finish(load: Load): boolean {
    load.done = true;
    return this.inFlight.end(load);
  }

  /** Keeps an entry. A value that cannot be measured is served and not kept. */
  keep(entry: Entry): void {
    this.memory.delete(entry.key);
    try {
      this.memory.put(entry);
    } catch (error) {
      this.fault(error);
    }
  }

  /** Forgets in memory. @returns how many entries that concerned. */
  apply(what: Invalidation): number {
    if (what.kind === 'delete') return this.#count(what.keys, (key) => this.memory.delete(key));
    if (what.kind === 'expire') {
      const now = this.time.exact();
      return this.#count(what.keys, (key) => this.memory.expire(key, now));
    }
    if (what.kind === 'tags') {
      this.inFlight.overtakeTagged(what.tags);
      return what.tags.reduce((count, tag) => count + this.memory.dropTagged(tag), 0);
    }
    // Whatever a bus of a later version may ask for is covered by forgetting everything.
    this.inFlight.overtakeAll();
    return this.memory.clear();
  }

  /** Tells the host of work that goes on behind an answer. */
  lend(waitUntil: Plan['waitUntil'], work: Promise<unknown>): void {
    try {
      waitUntil?.(work.catch(() => {}));
    } catch (error) {
      this.fault(error);
    }
  }

  /** Something failed that no caller is told of. */
  fault(error: unknown): void {
    this.counts.faults += 1;
    if (faults.hasSubscribers) faults.publish({ cache: this.name, error });
  }

  #count(keys: readonly string[], change: (key: string) => boolean): number {
    let count = 0;
    for (const key of keys) {
      this.inFlight.overtake(key);
      const had = this.alive(key) !== undefined;
      if (change(key) && had) count += 1;
    }
    return count;
  }

  /** The ttl of a value: what the loader said, what null and undefined get, what the caller or the cache says. */
  #ttl(own: number | undefined, asked: number | undefined, value: unknown): number {
    const { ttl, negativeTtl, jitter, random } = this.settings;
    const negative = value === null || value === undefined ? negativeTtl : undefined;
    const whole = own ?? negative ?? asked ?? ttl;
    return jitter === 0 ? whole : whole * (1 - jitter * random());
  }
}
