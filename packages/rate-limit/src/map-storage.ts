import { never } from './internal/column.ts';
import { hashed, hashKey, randomSeed, type Seed } from './internal/key-hash.ts';
import { candidates, type KeyIndex, type Slots, sharedSlots } from './internal/key-index.ts';
import type { KeyStorage } from './key-storage.ts';

/**
 * Keeps the keys themselves, in a Map that grows with the keys in use up to `maxKeys`: about 80 bytes a key for a token
 * bucket. For few keys under a high `maxKeys`, or where no two keys may ever be taken for one.
 *
 * A new key beyond `maxKeys` takes the place of an idle one among 16 drawn by its hash, or of the least exhausted of
 * them; if all are exhausted it shares one of 64 slots, as in `tableStorage`.
 *
 * @example
 * createLimiter({ limits, storage: mapStorage() });
 */
export function mapStorage(): KeyStorage {
  return { kind: 'map', open: (maxKeys, slots) => new KeyMap(maxKeys, slots) };
}

class KeyMap implements KeyIndex {
  evicted = 0;
  overflowed = 0;
  readonly #slots: Slots;
  readonly #seed: Seed = randomSeed();
  readonly #maxKeys: number;
  readonly #map = new Map<string, number>();
  /** The key of each slot; those before are shared. */
  readonly #keys: string[] = [];
  #room = 0;

  constructor(maxKeys: number, slots: Slots) {
    this.#slots = slots;
    this.#maxKeys = maxKeys;
    this.#makeRoom(Math.min(maxKeys, 1024));
  }

  get size(): number {
    return this.#map.size;
  }

  find(key: string): number {
    const found = this.#map.get(key);
    if (found !== undefined) return found;
    return this.size < this.#maxKeys || this.#weakest(key, 1) !== -1 ? -1 : this.#shared();
  }

  claim(key: string, force?: boolean): number {
    const found = this.#map.get(key);
    if (found !== undefined) return found;
    let index = this.size;
    if (index >= this.#maxKeys) {
      index = this.#weakest(key, force === true ? never : 1);
      if (index === -1) {
        this.overflowed += 1;
        return this.#shared();
      }
      this.#forget(index);
    } else if (index >= this.#room) this.#makeRoom(Math.min(this.#maxKeys, 2 * index));
    this.#keys[index] = key;
    this.#map.set(key, index + sharedSlots);
    return index + sharedSlots;
  }

  /** An idle one of the keys drawn, else the least exhausted, if that is less than `least`; else -1. */
  #weakest(key: string, least: number): number {
    hashKey(key, this.#seed);
    let best = -1;
    for (let i = 0; i < candidates && least > 0; i += 1) {
      // Far apart, so that those who came together are not looked at together.
      const index = ((Math.imul(hashed[0]! + i, 0x9e3779b1) ^ hashed[1]!) >>> 0) % this.size;
      const pressure = this.#slots.pressure(index + sharedSlots);
      if (pressure < least) {
        least = pressure;
        best = index;
      }
    }
    return best;
  }

  #forget(index: number): void {
    if (this.#slots.pressure(index + sharedSlots) > 0) this.evicted += 1;
    this.#slots.clear(index + sharedSlots);
    this.#map.delete(this.#keys[index]!);
  }

  /** For the key hashed last. */
  #shared(): number {
    return hashed[1]! & (sharedSlots - 1);
  }

  #makeRoom(keys: number): void {
    this.#room = keys;
    this.#slots.grow(keys + sharedSlots);
  }
}
