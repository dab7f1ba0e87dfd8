import type { Load } from './load.ts';

/** Tags remembered at most. Beyond that no load under way keeps its value, which is always safe. */
const MOST_TAGS = 100_000;

/**
 * The loads under way, and what has been invalidated since they began.
 *
 * A load may keep its value only while it is the one registered for its key: an invalidation of the key, of a tag that
 * the load or the value it renews is known to have, or of everything takes it out. A tag may become known late, so the numbers of the last
 * invalidations are remembered per tag, but only those that the oldest load under way has seen come.
 */
export class InFlight {
  readonly #loads = new Map<string, Load>();
  /** The number of the last invalidation by tag, oldest first. */
  readonly #numbers = new Map<string, number>();
  /** Tag invalidations so far. */
  count = 0;

  get size(): number {
    return this.#loads.size;
  }

  get(key: string): Load | undefined {
    return this.#loads.get(key);
  }

  begin(load: Load): void {
    // Keeps the map in the order in which loads began.
    this.overtake(load.key);
    this.#loads.set(load.key, load);
  }

  /** Takes a load out. @returns whether it may keep its value. */
  end(load: Load): boolean {
    if (this.#loads.get(load.key) !== load) return false;
    this.#loads.delete(load.key);
    this.#prune();
    return true;
  }

  /** Adds tags to a load; one that was invalidated since the load began overtakes it. */
  addTags(load: Load, tags: readonly string[]): void {
    if (load.done || tags.length === 0) return;
    load.tags = [...load.tags, ...tags];
    if (tags.some((tag) => (this.#numbers.get(tag) ?? 0) > load.since)) this.#overtake(load);
  }

  overtake(key: string): void {
    const load = this.#loads.get(key);
    if (load !== undefined) this.#overtake(load);
  }

  /** O(loads under way). */
  overtakeTagged(tags: readonly string[]): void {
    this.count += 1;
    for (const load of this.#loads.values()) {
      const known = (tag: string): boolean =>
        load.tags.includes(tag) || load.stale?.tags.includes(tag) === true;
      if (tags.some(known)) this.#overtake(load);
    }
    if (this.#loads.size === 0) return;
    for (const tag of tags) {
      this.#numbers.delete(tag);
      this.#numbers.set(tag, this.count);
    }
    if (this.#numbers.size > MOST_TAGS) this.overtakeAll();
  }

  overtakeAll(): void {
    for (const load of this.#loads.values()) load.overtaken = true;
    this.#loads.clear();
    this.#prune();
  }

  #overtake(load: Load): void {
    load.overtaken = true;
    this.end(load);
  }

  #prune(): void {
    if (this.#numbers.size === 0) return;
    const oldest = this.#loads.values().next().value;
    if (oldest === undefined) {
      this.#numbers.clear();
      return;
    }
    for (const [tag, number] of this.#numbers) {
      if (number > oldest.since) return;
      this.#numbers.delete(tag);
    }
  }
}
