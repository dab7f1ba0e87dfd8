import { InvalidOptionError, knownOptions } from '@weir/core';
import { never } from './internal/column.ts';
import { hashed, hashKey, randomSeed, type Seed } from './internal/key-hash.ts';
import { candidates, type KeyIndex, type Slots, sharedSlots } from './internal/key-index.ts';
import type { KeyStorage } from './key-storage.ts';

export interface TableStorageOptions {
  /** Two 32-bit integers that key the hash, for repeatable tests. @default drawn at random, once per table */
  readonly seed?: readonly [number, number];
}

/**
 * Keeps hashes of keys in a fixed table of `maxKeys` x 1.5 slots, allocated at once: 24 bytes a key for a token bucket,
 * nothing for the garbage collector to walk. Two keys are taken for one only if 64 bits of keyed hash agree: with a
 * million keys, one chance in 37 million.
 *
 * A key may stand in any of 16 slots: two groups of 8, drawn by its hash, of which it takes the emptier. If they are full
 * it takes the slot of an idle key, or that of the least exhausted one, which is forgotten; never that of an exhausted or
 * blocked one. If all 16 are exhausted it shares one of 64 further slots, with one limit for all that share it. Both are
 * counted in the metrics.
 *
 * @throws InvalidOptionError if an option is unknown or not as described.
 *
 * @example
 * createLimiter({ limits, maxKeys: 1_000_000, storage: tableStorage() });
 */
export function tableStorage(options: TableStorageOptions = {}): KeyStorage {
  knownOptions(options, ['seed'], 'tableStorage');
  const { seed } = options;
  if (seed !== undefined && !(Array.isArray(seed) && seed.length === 2 && seed.every(Number.isInteger))) {
    throw new InvalidOptionError('seed', 'two 32-bit integers', seed);
  }
  return { kind: 'table', open: (maxKeys, slots) => new KeyTable(maxKeys, slots, seed ?? randomSeed()) };
}

/** Slots that are looked at together: their tags fill a cache line. */
const group = candidates / 2;

class KeyTable implements KeyIndex {
  size = 0;
  evicted = 0;
  overflowed = 0;
  readonly #slots: Slots;
  readonly #seed: Seed;
  readonly #groups: number;
  /** Two words a slot; 0, 0 is a slot never used. Those of a group are used in order. */
  readonly #tags: Uint32Array;
  // A key that comes again at once is not hashed again.
  #lastKey: string | undefined;
  #lastSlot = 0;

  constructor(maxKeys: number, slots: Slots, seed: Seed) {
    // At two thirds full, given the emptier of two groups, none of a million keys finds both full.
    this.#groups = Math.ceil((maxKeys * 1.5) / group);
    this.#tags = new Uint32Array(2 * group * this.#groups);
    this.#slots = slots;
    this.#seed = seed;
    slots.grow(group * this.#groups + sharedSlots);
  }

  find(key: string): number {
    if (key === this.#lastKey) return this.#lastSlot;
    const found = this.#look(key);
    return found === -1 && this.#weakest(1) === -1 ? this.#shared() : found;
  }

  claim(key: string, force?: boolean): number {
    return key === this.#lastKey ? this.#lastSlot : this.#claim(key, force === true ? never : 1);
  }

  /** The key's slot, if need be that of one less exhausted than `least`, if need be a shared one. */
  #claim(key: string, least: number): number {
    let slot = this.#look(key);
    if (slot === -1) {
      slot = this.#weakest(least);
      if (slot === -1) {
        this.overflowed += 1;
        return this.#shared();
      }
      this.#take(slot);
    }
    this.#lastKey = key;
    this.#lastSlot = slot;
    return slot;
  }

  #look(key: string): number {
    hashKey(key, this.#seed);
    if ((hashed[0]! | hashed[1]!) === 0) hashed[1] = 1;
    const found = this.#scan(this.#start(0));
    return found === -1 ? this.#scan(this.#start(1)) : found;
  }

  /** The first slot of the group that one half of the hash draws. */
  #start(half: 0 | 1): number {
    return Math.floor((hashed[half]! / 2 ** 32) * this.#groups) * group;
  }

  #scan(start: number): number {
    const a = hashed[0]!;
    const b = hashed[1]!;
    const tags = this.#tags;
    for (let slot = start; slot < start + group; slot += 1) {
      if (tags[2 * slot] === a && tags[2 * slot + 1] === b) return slot;
      if (this.#unused(slot)) return -1;
    }
    return -1;
  }

  /** A slot never used, else an idle one, else the least exhausted, if that is less than `least`; else -1. */
  #weakest(least: number): number {
    const first = this.#start(0);
    const second = this.#start(1);
    const usedFirst = this.#used(first);
    const usedSecond = this.#used(second);
    if (Math.min(usedFirst, usedSecond) < group) {
      return usedFirst <= usedSecond ? first + usedFirst : second + usedSecond;
    }
    let best = -1;
    for (let i = 0; i < candidates && least > 0; i += 1) {
      const slot = i < group ? first + i : second + i - group;
      const pressure = this.#slots.pressure(slot);
      if (pressure < least) {
        least = pressure;
        best = slot;
      }
    }
    return best;
  }

  /** How many slots of a group have ever been used. */
  #used(start: number): number {
    let used = 0;
    while (used < group && !this.#unused(start + used)) used += 1;
    return used;
  }

  #take(slot: number): void {
    if (this.#unused(slot)) this.size += 1;
    else {
      if (this.#slots.pressure(slot) > 0) this.evicted += 1;
      this.#slots.clear(slot);
    }
    this.#tags[2 * slot] = hashed[0]!;
    this.#tags[2 * slot + 1] = hashed[1]!;
  }

  #unused(slot: number): boolean {
    return (this.#tags[2 * slot]! | this.#tags[2 * slot + 1]!) === 0;
  }

  #shared(): number {
    return this.#groups * group + (hashed[1]! & (sharedSlots - 1));
  }
}
