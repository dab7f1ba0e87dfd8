import { LRUCache } from 'lru-cache';
import type { Settings } from './settings.ts';
import { estimated, measured } from './size.ts';

/** A value in memory. Times are of the cache's clock; an end is excluded. */
export interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly tags: readonly string[];
  readonly storedAt: number;
  readonly graceMs: number;
  /** How long the load took; what XFetch goes by. */
  readonly loadMs: number;
  /** `value` is what a load failed with. */
  readonly failed: boolean;
  /** Until then a hit need not look at anything else. */
  quietUntil: number;
  freshUntil: number;
  /** After a failed renewal: no other one is begun before. */
  retryAt: number | undefined;
}

/** When an entry may no longer be served at all. */
export const deadAt = (entry: Entry): number => entry.freshUntil + entry.graceMs;

export function entryOf(init: {
  readonly key: string;
  readonly value: unknown;
  readonly tags: readonly string[];
  readonly storedAt: number;
  readonly ttl: number;
  readonly graceMs: number;
  readonly loadMs?: number;
  readonly failed?: boolean;
}): Entry {
  const { key, value, tags, storedAt, ttl, graceMs, loadMs = 0, failed = false } = init;
  const freshUntil = storedAt + ttl;
  return {
    key,
    value,
    tags,
    storedAt,
    graceMs,
    loadMs,
    failed,
    quietUntil: freshUntil,
    freshUntil,
    retryAt: undefined,
  };
}

/** The probability that XFetch renews earlier than so many load times (times beta) before the end is 1 in 10^7. */
const FURTHEST_DRAW = 16;

/** Entries in order of use, bounded in number and bytes, and found by tag. */
export class Memory {
  readonly #lru: LRUCache<string, Entry>;
  readonly #byTag = new Map<string, Set<Entry>>();
  readonly #maxBytes: number | undefined;
  readonly #sizeOf: Settings['sizeOf'];
  readonly #beta: number;
  evictions = 0;

  constructor({ max, maxBytes, sizeOf, earlyRefresh }: Settings) {
    this.#maxBytes = maxBytes;
    this.#sizeOf = sizeOf;
    this.#beta = earlyRefresh;
    this.#lru = new LRUCache({
      max,
      ...(maxBytes === undefined ? {} : { maxSize: maxBytes }),
      dispose: (entry, _key, reason) => {
        if (reason === 'evict') this.evictions += 1;
        if (entry.tags.length > 0) this.#forgetTags(entry);
      },
    });
  }

  get size(): number {
    return this.#lru.size;
  }

  get bytes(): number {
    return this.#lru.calculatedSize;
  }

  /** Whatever is kept under a key, dead or alive, as the one used last. */
  get(key: string): Entry | undefined {
    return this.#lru.get(key);
  }

  /** The same, without changing the order. */
  peek(key: string): Entry | undefined {
    return this.#lru.peek(key);
  }

  /** Whether this very entry is still kept. */
  holds(entry: Entry): boolean {
    return this.#lru.peek(entry.key) === entry;
  }

  /** Keeps an entry where there is none. One that is larger than all the room is not kept. */
  put(entry: Entry): void {
    entry.quietUntil = entry.failed
      ? Number.NEGATIVE_INFINITY
      : entry.freshUntil - FURTHEST_DRAW * this.#beta * entry.loadMs;
    if (this.#maxBytes === undefined) this.#lru.set(entry.key, entry);
    else if (!this.#putSized(entry, this.#maxBytes)) return;
    for (const tag of entry.tags) {
      const tagged = this.#byTag.get(tag);
      if (tagged === undefined) this.#byTag.set(tag, new Set([entry]));
      else tagged.add(entry);
    }
  }

  #putSized(entry: Entry, maxBytes: number): boolean {
    const size =
      this.#sizeOf === undefined || entry.failed
        ? estimated(entry.value, entry.key)
        : measured(this.#sizeOf, entry.value, entry.key);
    if (size > maxBytes) return false;
    this.#lru.set(entry.key, entry, { size });
    return true;
  }

  delete(key: string): boolean {
    return this.#lru.delete(key);
  }

  /** Ends the freshness of an entry now. */
  expire(key: string, now: number): boolean {
    const entry = this.#lru.peek(key);
    if (entry === undefined) return false;
    // A renewal is wanted, whatever failed before.
    entry.retryAt = undefined;
    entry.freshUntil = Math.min(entry.freshUntil, now);
    entry.quietUntil = Math.min(entry.quietUntil, now);
    return true;
  }

  /** Drops what carries the tag. @returns how many. O(entries with the tag). */
  dropTagged(tag: string): number {
    const tagged = this.#byTag.get(tag);
    if (tagged === undefined) return 0;
    // Each deletion takes its entry out of the set.
    const entries = [...tagged];
    for (const { key } of entries) this.#lru.delete(key);
    return entries.length;
  }

  clear(): number {
    const count = this.#lru.size;
    this.#lru.clear();
    return count;
  }

  #forgetTags(entry: Entry): void {
    for (const tag of entry.tags) {
      const tagged = this.#byTag.get(tag);
      if (tagged?.delete(entry) && tagged.size === 0) this.#byTag.delete(tag);
    }
  }
}
