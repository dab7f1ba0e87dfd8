import type { Awaitable } from '@weir/core';
import type { BatchLoader, Loader, LoadOptions, SetOptions, WrapOptions } from './cache-options.ts';

/** A promise where other processes have a say, the value itself where they have not. */
export type Answer<Shared extends boolean, T> = Shared extends true ? Promise<T> : T;

/** What `peek` sees. */
export interface Peeked<V> {
  readonly value: V;
  /** Since it was loaded or set; what an `Age` header says in seconds. */
  readonly ageMs: number;
  /** How long it will be fresh; 0 if it is stale. */
  readonly ttlMs: number;
  /** Past its ttl and within its grace. */
  readonly stale: boolean;
}

/**
 * A cache, or a namespace of one. A namespace has keys and tags of its own and shares the room; what is done to a cache
 * or namespace by tag or `clear` reaches the namespaces inside.
 *
 * Any string is a key. undefined and null are values like any other.
 */
export interface KeySpace<Shared extends boolean = false> {
  /**
   * Gives the value of a key, loading it if need be. Callers that come while it is loaded share that load.
   *
   * A fresh value in memory comes back at once, synchronously; so does a stale one within its grace if `softTimeout` is
   * 0, and the load goes on behind it. Otherwise a promise, which rejects with what the loader threw, with a
   * `LoadTimeoutError`, or with the reason of `options.signal`.
   *
   * Whatever is invalidated while a load is under way, its value goes to those who asked before, and is not kept: who
   * asks afterwards gets a load of its own. A loader that asks the cache for its own key waits for itself until the
   * hard timeout.
   *
   * @throws InvalidOptionError if an option is out of range and a load would begin.
   * @throws CacheKeyError if the key is not a string.
   *
   * @example
   * const user = await cache.getOrLoad(`user:${id}`, ({ signal }) => fetchUser(id, signal), { tags: ['users'] });
   */
  getOrLoad<V>(key: string, loader: Loader<V>, options?: LoadOptions): V | Promise<V>;
  /**
   * Gives the values of several keys, in their order, with one call of the loader for all that are missing and not
   * already being loaded. If that call fails, this one rejects as a whole.
   *
   * @throws CacheKeyError, InvalidOptionError as `getOrLoad` does.
   */
  getMany<V>(keys: readonly string[], loader: BatchLoader<V>, options?: LoadOptions): V[] | Promise<V[]>;
  /**
   * Makes a function that answers from the cache and calls `fn` when it must.
   *
   * @throws InvalidOptionError if `options.key` is not a function.
   */
  wrap<Args extends readonly unknown[], V>(
    fn: (...args: Args) => Awaitable<V>,
    options: WrapOptions<Args>,
  ): (...args: Args) => V | Promise<V>;
  /** The fresh value of a key. undefined may be that value: `has` knows. A shared cache looks in the remote tier, too. */
  get<V = unknown>(key: string): Shared extends true ? V | undefined | Promise<V | undefined> : V | undefined;
  /** Whether there is a fresh value. */
  has(key: string): Shared extends true ? boolean | Promise<boolean> : boolean;
  /** What memory has, fresh or stale, with its age; changes nothing, loads nothing. */
  peek<V = unknown>(key: string): Peeked<V> | undefined;
  /** Keeps a value. A load under way for the key is not kept. */
  set(key: string, value: unknown, options?: SetOptions): Answer<Shared, void>;
  /** Forgets a key. @returns whether memory had a value, fresh or stale. */
  delete(key: string): Answer<Shared, boolean>;
  /** Makes a value stale: it is served within its grace while it is renewed. @returns whether memory had a value. */
  expire(key: string): Answer<Shared, boolean>;
  /** Forgets what carries any of these tags. O(what carries them + loads under way). @returns how many in memory. */
  invalidateTags(tags: string | readonly string[]): Answer<Shared, number>;
  /** Forgets everything. */
  clear(): Answer<Shared, void>;
  /** Keys and tags of their own in the same room. The same name gives the same namespace. */
  namespace(name: string): KeySpace<Shared>;
}
