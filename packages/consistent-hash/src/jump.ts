import { InvalidOptionError, integer, type Json, knownOptions } from '@weir/core';
import { type HashKey, signedHash } from './hash-key.ts';
import { Base } from './internal/base.ts';
import { Word64 } from './internal/word64.ts';
import type { Member, Topology, TopologyStats } from './topology.ts';

export interface JumpOptions {
  /** Name of the component. @default 'topology-<n>' */
  readonly name?: string | undefined;
}

/**
 * Buckets 0 to n - 1 that only grow and shrink at the end.
 */
export interface JumpTopology extends Topology<number> {
  /**
   * The topology with bucket `size` as well.
   *
   * @throws InvalidOptionError for another number.
   */
  with(bucket?: number): JumpTopology;
  /**
   * The topology without its last bucket.
   *
   * @throws InvalidOptionError for another one: shrinking in the middle would move most keys.
   */
  without(bucket: number | string): JumpTopology;
}

const multiplier: Word64 = /* @__PURE__ */ new Word64(0x27bb2ee6, 0x87b0b0fd);
const one: Word64 = /* @__PURE__ */ new Word64(0, 1);
const state: Word64 = /* @__PURE__ */ new Word64();

/**
 * Jump consistent hash (Lamping and Veach, 2014): buckets without names, perfectly even, no memory, O(log n) a lookup.
 * For shards that are numbered and never lost, since only the last one can go.
 *
 * A key is 64 bits. A bigint or an integer is taken as it is (modulo 2^64, as Java's `long`), which reproduces Guava's
 * `consistentHash(long, n)` and the published vectors; text and bytes are hashed by `hashKey` and padded with zeros,
 * as Guava's `consistentHash(murmur3_32_fixed().hashString(key, UTF_8), n)` does.
 *
 * @param n number of buckets, 0 to 2^31 - 1
 * @throws InvalidOptionError if `n` is out of range; `get`, if a number is not a safe integer.
 *
 * @example
 * createJump(11).get(10863919174838991n); // 6
 */
export function createJump(n: number, options: JumpOptions = {}): JumpTopology {
  knownOptions(options, ['name'], 'createJump');
  return new Jump(integer(n, 'n', 0, 2 ** 31 - 1), options.name);
}

class Jump extends Base<number> implements JumpTopology {
  readonly size: number;
  readonly space: undefined;

  constructor(size: number, name: string | undefined) {
    super(['jump'], name);
    this.size = size;
  }

  get(key: HashKey): number | undefined {
    if (this.size === 0) return undefined;
    load(key);
    return jump(this.size);
  }

  /** After the owner come the buckets that the key would be in, were there fewer of them; at last those in order. */
  find(key: HashKey, accept: (bucket: number) => boolean): number | undefined {
    const asked = new Set<number>();
    for (let size = this.size; size > 0; ) {
      load(key);
      const bucket = jump(size);
      if (accept(bucket)) return bucket;
      asked.add(bucket);
      size = bucket;
    }
    for (let bucket = 0; bucket < this.size; bucket += 1) {
      if (!asked.has(bucket) && accept(bucket)) return bucket;
    }
    return undefined;
  }

  with(bucket: number = this.size): JumpTopology {
    if (bucket !== this.size) throw new InvalidOptionError('bucket', `the next one, ${this.size}`, bucket);
    return createJump(this.size + 1, { name: this.name });
  }

  without(bucket: number | string): JumpTopology {
    if (Number(bucket) !== this.size - 1) {
      throw new InvalidOptionError(
        'bucket',
        `the last one, ${this.size - 1}: jump shrinks at the end only`,
        bucket,
      );
    }
    return createJump(this.size - 1, { name: this.name });
  }

  position(): undefined {}

  eachRange(): void {}

  /** Even by construction. */
  override stats(): TopologyStats {
    const { size } = this;
    const load = size === 0 ? 0 : 1;
    return {
      size,
      maxLoad: load,
      minLoad: load,
      get shares() {
        return Array.from({ length: size }, (_, bucket) => ({
          id: String(bucket),
          weight: 1,
          share: 1 / size,
        }));
      },
    };
  }

  protected list(): readonly Member<number>[] {
    return Array.from({ length: this.size }, (_, bucket) => ({
      id: String(bucket),
      weight: 1,
      node: bucket,
    }));
  }

  protected override identity(): Json {
    return this.size;
  }
}

/** Puts the key's 64 bits into the state. */
function load(key: HashKey): void {
  if (typeof key === 'bigint') {
    state.set(Number((key >> 32n) & 0xffff_ffffn), Number(key & 0xffff_ffffn));
  } else if (typeof key === 'number') {
    if (!Number.isSafeInteger(key)) throw new InvalidOptionError('key', 'a safe integer, or text', key);
    state.set(Math.floor(key / 2 ** 32), key);
  } else {
    state.set(0, signedHash(key));
  }
}

function jump(buckets: number): number {
  let bucket = 0;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    state.multiply(multiplier).add(one);
    next = Math.floor((bucket + 1) * (2 ** 31 / ((state.hi >>> 1) + 1)));
  }
  return bucket;
}
