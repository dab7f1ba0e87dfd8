import { type Awaitable, callable } from '@weir/core';
import type { BatchLoader, Loader, LoadOptions, SetOptions, WrapOptions } from '../cache-options.ts';
import type { Invalidation } from '../invalidation.ts';
import type { KeySpace, Peeked } from '../key-space.ts';
import { innerScope, keyIn, rootScope, type Scope, tagsOf } from './identity.ts';
import { quiet } from './load.ts';
import type { Entry, Memory } from './memory.ts';
import type { Reader } from './reader.ts';
import type { RemoteLoads } from './remote-loads.ts';
import type { Sharing } from './sharing.ts';
import type { Store } from './store.ts';
import type { Time } from './time.ts';

/** The parts that a cache and its namespaces have in common. */
export interface Parts {
  readonly store: Store;
  readonly reader: Reader;
  /** Undefined: no remote tier. */
  readonly remoteLoads: RemoteLoads | undefined;
  /** Undefined: a cache of this process alone. */
  readonly sharing: Sharing | undefined;
}

/** A cache, or one of its namespaces. Shared ones give promises where the others give values. */
export class Space implements KeySpace<boolean> {
  readonly #parts: Parts;
  readonly #scope: Scope;
  // For the one path that is hot.
  readonly #memory: Memory;
  readonly #time: Time;
  readonly #counts: Store['counts'];
  readonly #plain: boolean;
  readonly #root: boolean;

  constructor(parts: Parts, scope: Scope) {
    this.#parts = parts;
    this.#scope = scope;
    this.#memory = parts.store.memory;
    this.#time = parts.store.time;
    this.#counts = parts.store.counts;
    this.#plain = !parts.store.clones;
    this.#root = scope === rootScope;
  }

  getOrLoad<V>(key: string, loader: Loader<V>, options?: LoadOptions): V | Promise<V> {
    const id = this.#id(key);
    const entry = this.#memory.get(id);
    if (entry !== undefined && this.#plain && this.#time.recent() < entry.quietUntil) {
      this.#counts.hit += 1;
      return entry.value as V;
    }
    const { reader } = this.#parts;
    const shared = entry === undefined ? reader.share(id, options) : undefined;
    return (shared ?? reader.getOrLoad(this.#scope, key, id, loader as Loader<unknown>, options)) as
      | V
      | Promise<V>;
  }

  getMany<V>(keys: readonly string[], loader: BatchLoader<V>, options?: LoadOptions): V[] | Promise<V[]> {
    return this.#parts.reader.getMany(this.#scope, keys, loader, options) as V[] | Promise<V[]>;
  }

  wrap<Args extends readonly unknown[], V>(
    fn: (...args: Args) => Awaitable<V>,
    options: WrapOptions<Args>,
  ): (...args: Args) => V | Promise<V> {
    const { key, tags, ...rest } = options;
    callable(key, 'key');
    const tagsFor = typeof tags === 'function' ? tags : () => tags;
    return (...args) =>
      this.getOrLoad(
        key(...args),
        (context) => {
          context.tags(tagsFor(...args) ?? []);
          return fn(...args);
        },
        rest,
      );
  }

  get<V>(key: string): V | undefined | Promise<V | undefined> {
    const id = this.#id(key);
    const entry = this.#memory.get(id);
    if (entry !== undefined && this.#plain && this.#time.recent() < entry.quietUntil) {
      this.#counts.hit += 1;
      return entry.value as V;
    }
    const value = (found: Entry | undefined): V | undefined => {
      this.#counts[found === undefined ? 'miss' : 'hit'] += 1;
      return this.#parts.store.copy(found?.value) as V | undefined;
    };
    const found = this.#fresh(id);
    return found instanceof Promise ? found.then(value) : value(found);
  }

  has(key: string): boolean | Promise<boolean> {
    const found = this.#fresh(this.#id(key));
    return found instanceof Promise ? found.then((entry) => entry !== undefined) : found !== undefined;
  }

  peek<V>(key: string): Peeked<V> | undefined {
    const { store } = this.#parts;
    const entry = store.alive(this.#id(key));
    if (entry === undefined) return undefined;
    const now = store.time.exact();
    return {
      value: store.copy(entry.value) as V,
      ageMs: Math.max(0, now - entry.storedAt),
      ttlMs: Math.max(0, entry.freshUntil - now),
      stale: now >= entry.freshUntil,
    };
  }

  set(key: string, value: unknown, options?: SetOptions): void | Promise<void> {
    const id = this.#id(key);
    const entry = this.#parts.store.set(this.#scope, id, value, options);
    const { sharing } = this.#parts;
    if (sharing === undefined) return undefined;
    return entry === undefined
      ? after(sharing.invalidate({ kind: 'delete', keys: [id] }), () => {})
      : after(sharing.set(entry), () => {});
  }

  delete(key: string): boolean | Promise<boolean> {
    return after(this.#invalidate({ kind: 'delete', keys: [this.#id(key)] }), some);
  }

  expire(key: string): boolean | Promise<boolean> {
    return after(this.#invalidate({ kind: 'expire', keys: [this.#id(key)] }), some);
  }

  invalidateTags(tags: string | readonly string[]): number | Promise<number> {
    return after(this.#invalidate({ kind: 'tags', tags: tagsOf(this.#scope, tags) }), (count) => count);
  }

  clear(): void | Promise<void> {
    const mark = this.#scope.clearing.at(-1);
    const what: Invalidation = mark === undefined ? { kind: 'clear' } : { kind: 'tags', tags: [mark] };
    return after(this.#invalidate(what), () => {});
  }

  namespace(name: string): KeySpace<boolean> {
    return new Space(this.#parts, innerScope(this.#scope, name));
  }

  /** `keyIn`, without its cost where a key stands for itself. */
  #id(key: string): string {
    return this.#root && typeof key === 'string' && key.charCodeAt(0) !== 0 ? key : keyIn(this.#scope, key);
  }

  /** What memory has under a key and is fresh, or else what the remote tier has. */
  #fresh(id: string): Entry | undefined | Promise<Entry | undefined> {
    const entry = this.#memory.get(id);
    if (entry !== undefined && !entry.failed && this.#parts.store.time.exact() < entry.freshUntil)
      return entry;
    return this.#parts.remoteLoads?.lookUp(id);
  }

  #invalidate(what: Invalidation): number | Promise<number> {
    const { store, sharing } = this.#parts;
    store.counts.invalidations += 1;
    return sharing === undefined ? store.apply(what) : sharing.invalidate(what);
  }
}

const some = (count: number): boolean => count > 0;

/** Goes on with an outcome. A caller who does not wait for it does not crash the process with its failure. */
function after<A, B>(outcome: A | Promise<A>, then: (outcome: A) => B): B | Promise<B> {
  if (!(outcome instanceof Promise)) return then(outcome);
  const promise = outcome.then(then);
  quiet(promise);
  return promise;
}
