import { InvalidOptionError, knownOptions, text } from '@weir/core';
import type { HashKey } from './hash-key.ts';
import { fingerprint } from './internal/fingerprint.ts';
import { idOf } from './internal/id-of.ts';
import type { Placement } from './topology.ts';

export interface DirectoryShardsOptions<T> {
  /** Where keys are that have no entry. @default nowhere: `get` gives undefined */
  readonly fallback?: Placement<T> | undefined;
}

/** Shards by a list of keys. Immutable. */
export interface DirectoryShards<T> extends Placement<T> {
  /** Number of entries. */
  readonly size: number;
  /** The shard that a key is listed with, or what the fallback says. O(1). */
  get(key: HashKey): T | undefined;
  /** The directory with these entries added or changed. O(entries of both). */
  assign(entries: Iterable<readonly [key: string, shard: T]>): DirectoryShards<T>;
  /** The directory without an entry for the key; the fallback places it again. O(entries). */
  unassign(key: string): DirectoryShards<T>;
}

/**
 * Shards by directory: each key is where it is listed, so that one tenant can be moved alone. With a fallback, only
 * those that were moved need an entry. A number or bigint key is looked up as its decimal text; bytes are not listed.
 *
 * @throws InvalidOptionError if an entry's key is not a non-empty string, or the fallback has no `get`.
 *
 * @example
 * const shards = directoryShards([['tenant-7', 'db-big']], { fallback: hashShards(['db-1', 'db-2']) });
 */
export function directoryShards<T>(
  entries: Iterable<readonly [key: string, shard: T]>,
  options: DirectoryShardsOptions<T> = {},
): DirectoryShards<T> {
  knownOptions(options, ['fallback'], 'directoryShards');
  const { fallback } = options;
  if (fallback !== undefined && typeof fallback?.get !== 'function') {
    throw new InvalidOptionError('fallback', 'a topology or table of shards', fallback);
  }
  return new Directory(checked(entries), fallback);
}

class Directory<T> implements DirectoryShards<T> {
  readonly #entries: ReadonlyMap<string, T>;
  readonly #fallback: Placement<T> | undefined;
  #version: string | undefined;

  constructor(entries: ReadonlyMap<string, T>, fallback: Placement<T> | undefined) {
    this.#entries = entries;
    this.#fallback = fallback;
  }

  get size(): number {
    return this.#entries.size;
  }

  get version(): string {
    this.#version ??= fingerprint([
      this.#fallback?.version ?? null,
      [...this.#entries].map(([key, shard]) => [key, idOf(shard)]).sort(([a], [b]) => (a! < b! ? -1 : 1)),
    ]);
    return this.#version;
  }

  get(key: HashKey): T | undefined {
    const listed = key instanceof Uint8Array ? undefined : this.#entries.get(String(key));
    return listed ?? this.#fallback?.get(key);
  }

  assign(entries: Iterable<readonly [key: string, shard: T]>): DirectoryShards<T> {
    return new Directory(new Map([...this.#entries, ...checked(entries)]), this.#fallback);
  }

  unassign(key: string): DirectoryShards<T> {
    const rest = new Map(this.#entries);
    rest.delete(key);
    return new Directory(rest, this.#fallback);
  }
}

function checked<T>(entries: Iterable<readonly [key: string, shard: T]>): Map<string, T> {
  const map = new Map(entries);
  for (const key of map.keys()) text(key, 'entries');
  return map;
}
