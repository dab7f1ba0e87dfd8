import type { Clock, Exchange, Head } from '@weir/core';
import { type CacheStatus, cacheStatus, type Forwarded, type ForwardedDetails } from './cache-status.ts';
import { parseCacheControl } from './directives.ts';
import { Flights } from './flights.ts';
import type { Times } from './freshness.ts';
import { groupTags } from './groups.ts';
import { Budget, Incoming } from './incoming.ts';
import type { Settings } from './options.ts';
import { type Purge, Purges } from './purges.ts';
import { ResponseStore } from './response-store.ts';
import { Sharing } from './sharing.ts';

/** What was counted. */
export interface Counts {
  hit: number;
  stale: number;
  staleOnError: number;
  revalidated: number;
  miss: number;
  collapsed: number;
  bypass: number;
  stored: number;
  tooLarge: number;
  truncated: number;
  invalidated: number;
  purged: number;
  backgroundFailures: number;
  faults: number;
}

/** The parts of one response cache. */
export class Keeper {
  readonly settings: Settings;
  readonly store: ResponseStore;
  readonly flights: Flights = new Flights();
  readonly purges: Purges = new Purges();
  readonly budget: Budget;
  readonly status: CacheStatus | undefined;
  /** The caches of this name in other processes, if there is a bus to them. */
  readonly sharing: Sharing | undefined;
  /** How long requests for a key do not wait for each other after its answer could not be stored, ms. */
  readonly passTime = 10_000;
  readonly counts: Counts = {
    hit: 0,
    stale: 0,
    staleOnError: 0,
    revalidated: 0,
    miss: 0,
    collapsed: 0,
    bypass: 0,
    stored: 0,
    tooLarge: 0,
    truncated: 0,
    invalidated: 0,
    purged: 0,
    backgroundFailures: 0,
    faults: 0,
  };
  readonly #clock: Clock;
  #requests = 0;

  /** @param name what the user called the cache, if he did */
  constructor(settings: Settings, name = '') {
    this.settings = settings;
    this.store = new ResponseStore(settings.maxBytes, settings.maxVariants);
    this.budget = new Budget(settings.maxBytes, settings.maxEntryBytes);
    this.status = settings.cacheStatus === undefined ? undefined : cacheStatus(settings.cacheStatus);
    this.#clock = settings.clock;
    if (settings.bus !== undefined) {
      this.sharing = new Sharing(settings.bus, name, settings, {
        purged: (what) => void this.purge(what),
        failed: () => {
          this.counts.faults += 1;
        },
      });
    }
  }

  /** Forgets, or makes stale, here: what is stored and what is on its way. @returns how many stored responses it concerned */
  purge(what: Purge): number {
    this.purges.add(what);
    return this.store.purge(what, this.now());
  }

  /** Monotonic ms. */
  now(): number {
    return this.#clock.now();
  }

  /** ms since 1970. */
  epoch(): number {
    return this.#clock.epoch();
  }

  /** A request goes out. @returns what its response is dated by, once it is there */
  departure(): () => Times {
    this.#requests += 1;
    const order = this.#requests;
    const requested = this.now();
    return () => ({ order, requested, received: this.now(), epoch: this.epoch() });
  }

  hasRoomFor(length: number): boolean {
    return this.budget.allows(length);
  }

  incoming(length: number | undefined): Incoming {
    return new Incoming(this.budget, length);
  }

  /** Writes on a response that it came from the origin, and why. */
  label(x: Exchange, why: Forwarded, details?: ForwardedDetails): void {
    if (this.status !== undefined) x.appendHeader('cache-status', this.status.forwarded(why, details));
  }

  /** Whether the client wants its exchange stored nowhere (RFC 9111, 5.2.1.5). */
  forbidsStoring(x: Exchange): boolean {
    const control = x.header('cache-control');
    return control !== undefined && parseCacheControl(control).noStore;
  }

  /** By what names a response can be purged: those of the user, and its cache groups. */
  tags(head: Head, key: string): readonly string[] {
    return [...this.settings.tags(head), ...groupTags(head.headers, 'cache-groups', key)];
  }
}
