/** What becomes invalid. Hard: forgotten. Soft: stale from now on. */
export type Purge = { readonly soft: boolean } & (
  | { readonly by: 'key' | 'prefix' | 'tag'; readonly value: string }
  | { readonly by: 'all' }
);

/** More are not remembered: a response that began before the oldest of them is then not stored. */
const longest = 1_000;

/**
 * Purges that happened while responses were on their way, so that none of these brings back what was purged. Empty as
 * long as nothing is being fetched.
 */
export class Purges {
  #count = 0;
  #open = 0;
  /** The purges numbered from `#count - #log.length` on. */
  readonly #log: Purge[] = [];

  /** A response is asked for. Pass what this returns to {@link since} and, in the end, call {@link close}. */
  open(): number {
    this.#open += 1;
    return this.#count;
  }

  close(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#log.length = 0;
  }

  add(purge: Purge): void {
    this.#count += 1;
    if (this.#open === 0) return;
    this.#log.push(purge);
    if (this.#log.length > longest) this.#log.shift();
  }

  /** What purges since that moment mean for a response. */
  since(opened: number, key: string, tags: readonly string[]): 'hard' | 'soft' | undefined {
    const first = this.#count - this.#log.length;
    if (opened < first) return 'hard';
    let found: 'soft' | undefined;
    for (let i = opened - first; i < this.#log.length; i += 1) {
      const purge = this.#log[i] as Purge;
      if (!concerns(purge, key, tags)) continue;
      if (!purge.soft) return 'hard';
      found = 'soft';
    }
    return found;
  }
}

export function concerns(purge: Purge, key: string, tags: readonly string[]): boolean {
  switch (purge.by) {
    case 'all':
      return true;
    case 'key':
      return key === purge.value;
    case 'prefix':
      return key.startsWith(purge.value);
    case 'tag':
      return tags.includes(purge.value);
  }
}
