import { LRUCache } from 'lru-cache';
import type { Address } from './cache-key.ts';
import { concerns, type Purge } from './purges.ts';
import type { StoredResponse } from './stored-response.ts';
import { type HeaderReader, selectionValues } from './vary.ts';

/** What is known of one key. Replaced as a whole. */
interface Resource {
  /** The newest first. */
  readonly variants: readonly StoredResponse[];
  /** Until when, monotonic ms, requests need not wait for each other: what comes is not stored. */
  readonly passUntil: number;
}

/** What a key takes itself. */
const overhead = 200;

/** Stored responses by key and variant, the least recently used key leaving first; bounded by bytes. */
export class ResponseStore {
  readonly #resources: LRUCache<string, Resource>;
  readonly #maxBytes: number;
  readonly #maxVariants: number;
  /** Which keys have a response with that tag. */
  readonly #tagged = new Map<string, Set<string>>();
  #entries = 0;
  evictions = 0;

  constructor(maxBytes: number, maxVariants: number) {
    this.#maxBytes = maxBytes;
    this.#maxVariants = maxVariants;
    this.#resources = new LRUCache<string, Resource>({
      maxSize: maxBytes,
      dispose: (resource, key, reason) => {
        this.#forget(key, resource);
        if (reason === 'evict') this.evictions += resource.variants.length;
      },
    });
  }

  get bytes(): number {
    return this.#resources.calculatedSize;
  }

  /** Stored responses, variants counted one by one. */
  get entries(): number {
    return this.#entries;
  }

  get keys(): number {
    return this.#resources.size;
  }

  /** The newest stored response that is for this request (RFC 9111, 4.1). */
  select({ key, addressed }: Address, request: HeaderReader): StoredResponse | undefined {
    const resource = this.#resources.get(key);
    if (resource === undefined) return undefined;
    for (const variant of resource.variants) {
      const { selection } = variant.audience;
      if (variant.audience.addressed !== addressed) continue;
      if (selection.names.length === 0 || selectionValues(selection.names, request) === selection.values)
        return variant;
    }
    return undefined;
  }

  has(key: string): boolean {
    return (this.#resources.peek(key)?.variants.length ?? 0) > 0;
  }

  /** Whether what this key brings has lately not been stored. */
  passes(key: string, now: number): boolean {
    return (this.#resources.peek(key)?.passUntil ?? Number.NEGATIVE_INFINITY) > now;
  }

  /** @returns false if it is older than what is stored, or takes more than there may be. */
  put(key: string, stored: StoredResponse): boolean {
    const others = this.#variants(key).filter((variant) => !sameAudience(variant, stored));
    const replaced = this.#variants(key).find((variant) => sameAudience(variant, stored));
    if (replaced !== undefined && replaced.order > stored.order) return false;
    const variants = [stored, ...others].slice(0, this.#maxVariants);
    while (variants.length > 1 && sizeOf(key, variants) > this.#maxBytes) variants.pop();
    if (sizeOf(key, variants) > this.#maxBytes) return false;
    this.#set(key, { variants, passUntil: Number.NEGATIVE_INFINITY });
    return true;
  }

  /** Puts an update in the place of what it updates, unless that has gone. */
  replace(key: string, old: StoredResponse, stored: StoredResponse): void {
    if (this.#variants(key).includes(old)) this.put(key, stored);
  }

  remove(key: string, stored: StoredResponse): void {
    this.#keep(key, (variant) => variant !== stored);
  }

  /** From now until then, requests for this key need not wait for each other. */
  pass(key: string, until: number): void {
    this.#set(key, { variants: this.#variants(key), passUntil: until });
  }

  /** Carries out a purge. @returns how many stored responses it concerned */
  purge(purge: Purge, now: number): number {
    let count = 0;
    for (const key of this.#concerned(purge)) {
      const hit = this.#variants(key).filter(({ tags }) => concerns(purge, key, tags));
      count += hit.length;
      if (purge.soft) for (const variant of hit) variant.expire(now);
      else this.#keep(key, (variant) => !hit.includes(variant));
    }
    return count;
  }

  /** The tags of all variants of a key. */
  tagsOf(key: string): readonly string[] {
    return this.#variants(key).flatMap(({ tags }) => tags);
  }

  #concerned(purge: Purge): string[] {
    if (purge.by === 'key') return this.#resources.peek(purge.value) === undefined ? [] : [purge.value];
    if (purge.by === 'tag') return [...(this.#tagged.get(purge.value) ?? [])];
    const keys = [...this.#resources.keys()];
    return purge.by === 'all' ? keys : keys.filter((key) => key.startsWith(purge.value));
  }

  #variants(key: string): readonly StoredResponse[] {
    return this.#resources.peek(key)?.variants ?? [];
  }

  #keep(key: string, wanted: (variant: StoredResponse) => boolean): void {
    const variants = this.#variants(key).filter(wanted);
    if (variants.length === 0) this.#resources.delete(key);
    else this.#set(key, { variants, passUntil: Number.NEGATIVE_INFINITY });
  }

  #set(key: string, resource: Resource): void {
    this.#resources.set(key, resource, { size: sizeOf(key, resource.variants) });
    this.#entries += resource.variants.length;
    for (const { tags } of resource.variants) {
      for (const tag of tags) {
        const keys = this.#tagged.get(tag);
        if (keys === undefined) this.#tagged.set(tag, new Set([key]));
        else keys.add(key);
      }
    }
  }

  #forget(key: string, { variants }: Resource): void {
    this.#entries -= variants.length;
    for (const { tags } of variants) {
      for (const tag of tags) {
        const keys = this.#tagged.get(tag);
        keys?.delete(key);
        if (keys?.size === 0) this.#tagged.delete(tag);
      }
    }
  }
}

function sameAudience(a: StoredResponse, b: StoredResponse): boolean {
  const [{ selection: one, addressed }, { selection: other }] = [a.audience, b.audience];
  return (
    addressed === b.audience.addressed &&
    one.values === other.values &&
    one.names.join() === other.names.join()
  );
}

function sizeOf(key: string, variants: readonly StoredResponse[]): number {
  let sum = overhead + key.length;
  for (const { bytes } of variants) sum += bytes;
  return sum;
}
