import {
  type Component,
  componentName,
  InvalidOptionError,
  knownOptions,
  type Sample,
  text,
} from '@weir/core';
import type { Bus } from './bus.ts';
import type { CacheOptions, SharedCacheOptions } from './cache-options.ts';
import { Flights } from './internal/flights.ts';
import { rootScope } from './internal/identity.ts';
import { Peers } from './internal/peers.ts';
import { Reader } from './internal/reader.ts';
import { RemoteLoads } from './internal/remote-loads.ts';
import { cacheSamples, cacheSnapshot } from './internal/samples.ts';
import { optionNames, readSettings } from './internal/settings.ts';
import { Sharing } from './internal/sharing.ts';
import { type Parts, Space } from './internal/space.ts';
import { Store } from './internal/store.ts';
import { Tier } from './internal/tier.ts';
import type { Invalidation } from './invalidation.ts';
import type { KeySpace } from './key-space.ts';
import type { RemoteTier } from './remote.ts';

/** A cache in this process. */
export interface Cache extends KeySpace, Component {
  readonly kind: 'cache';
}

/** A cache that shares entries or invalidations with other processes. */
export interface SharedCache extends KeySpace<true>, Component {
  readonly kind: 'cache';
  /**
   * Leaves the bus and the remote tier. Invalidations of others are no longer heard. Values and ends of locks that are
   * on their way to the tier are waited for, up to `remoteTimeout`.
   */
  close(): Promise<void>;
}

/**
 * Makes a cache-aside cache: the least recently used go first, one load a key at a time, and an invalidation always
 * wins over a load that began before it.
 *
 * A hit costs about as much as one in lru-cache. It owns no timer but those of the loads under way, which do not keep
 * the process open.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const cache = createCache({ name: 'users', ttl: '1m', grace: '10m' });
 * const user = await cache.getOrLoad('42', () => database.user(42), { tags: ['team:7'] });
 * cache.invalidateTags('team:7');
 */
export function createCache(
  options: SharedCacheOptions & ({ readonly remote: RemoteTier } | { readonly bus: Bus }),
): SharedCache;
export function createCache(
  options: CacheOptions & { readonly remote?: undefined; readonly bus?: undefined },
): Cache;
export function createCache(options: SharedCacheOptions): Cache | SharedCache {
  knownOptions(options, optionNames, 'createCache');
  const settings = readSettings(options);
  const { name, clock, remote, bus } = options;
  methods(remote, 'remote', ['open']);
  methods(bus, 'bus', ['join']);
  const given = name === undefined ? undefined : text(name, 'name');
  const remoteStore = remote?.open(given ?? '');
  if (remote !== undefined) methods(remoteStore, 'remote', ['read', 'write', 'invalidate']);
  methods(remoteStore?.locks, 'remote.locks', ['read', 'changed', 'release']);
  const store = new Store(componentName('cache', given), settings, clock);
  const tier = remoteStore === undefined ? undefined : new Tier(remoteStore, settings);
  const apply = (what: Invalidation): void => void store.apply(what);
  const peers = bus === undefined ? undefined : new Peers<Invalidation>(bus, given ?? '', settings, apply);
  const remoteLoads = tier === undefined ? undefined : new RemoteLoads(store, tier);
  const flights = new Flights(store, remoteLoads);
  const reader = new Reader(store, flights);
  const sharing = tier === undefined && peers === undefined ? undefined : new Sharing(store, tier, peers);
  return new CacheComponent({ store, reader, remoteLoads, sharing }, tier, peers) as Cache | SharedCache;
}

class CacheComponent extends Space implements Component {
  readonly kind = 'cache';
  readonly name: string;
  readonly #store: Store;
  readonly #tier: Tier | undefined;
  readonly #peers: Peers | undefined;

  constructor(parts: Parts, tier: Tier | undefined, peers: Peers | undefined) {
    super(parts, rootScope);
    this.name = parts.store.name;
    this.#store = parts.store;
    this.#tier = tier;
    this.#peers = peers;
  }

  readonly actions: NonNullable<Component['actions']> = {
    clear: () => this.clear(),
    invalidateTags: async (tags) => {
      await this.invalidateTags(text(tags, 'tags'));
    },
  };

  snapshot(): ReturnType<typeof cacheSnapshot> {
    return cacheSnapshot(this.#store, this.#tier, this.#peers);
  }

  metrics(): readonly Sample[] {
    return cacheSamples(this.#store, this.#tier, this.#peers);
  }

  async close(): Promise<void> {
    await this.#peers?.close();
    await this.#tier?.close();
  }
}

function methods(value: unknown, option: string, names: readonly string[]): void {
  if (value === undefined) return;
  const has = (name: string): boolean =>
    typeof (value as Record<string, unknown> | null)?.[name] === 'function';
  if (names.every(has)) return;
  throw new InvalidOptionError(option, `an object with the methods ${names.join(', ')}`, value);
}
