import { integer, type Json, knownOptions } from '@weir/core';
import { bytesOf, type HashKey } from './hash-key.ts';
import { Base } from './internal/base.ts';
import { encode } from './internal/encode.ts';
import { append, readNodes } from './internal/members.ts';
import { xxh64 } from './internal/xxh64.ts';
import type { Member, NodeOf, Position, Topology, TopologyNode } from './topology.ts';

export interface EnvoyRingOptions {
  /** Envoy's `minimum_ring_size`: points there are at least. Integer, 1 to 8,388,608. @default 1024 */
  readonly minSize?: number | undefined;
  /** Envoy's `maximum_ring_size`. Integer, `minSize` to 8,388,608. @default 8_388_608 */
  readonly maxSize?: number | undefined;
  /** Name of the component. @default 'topology-<n>' */
  readonly name?: string | undefined;
}

const sizeLimit = 2 ** 23;

/**
 * Envoy's `ring_hash` load balancer, point for point: ids are what Envoy hashes a host by (its address, or its hostname
 * with `use_hostname_for_hashing`), and a key is the text that its one hash policy yields, such as a header's value.
 *
 * Point i of a host is xxh64 of `<id>_<i>`. The smallest weight gets a whole number of points, so that there are
 * `minSize` in all; for the others a running sum decides, so with uneven weights the order of hosts can matter by a
 * point. Give them in Envoy's order; `version` tells whether it made a difference. A key belongs to the first point at or
 * after its xxh64. `get` is O(log points); a point takes 12 bytes. Preference beyond the owner is clockwise, without
 * Envoy's retry offset.
 *
 * @throws InvalidOptionError if an option, an id or a weight is wrong, or two nodes share an id.
 *
 * @example
 * createEnvoyRing(['127.0.0.1:90', '127.0.0.1:91']).get('user-42');
 */
export function createEnvoyRing<N extends TopologyNode>(
  nodes: readonly N[],
  options: EnvoyRingOptions = {},
): Topology<NodeOf<N>> {
  knownOptions(options, ['minSize', 'maxSize', 'name'], 'createEnvoyRing');
  const minSize = integer(options.minSize ?? 1024, 'minSize', 1, sizeLimit);
  const maxSize = integer(options.maxSize ?? sizeLimit, 'maxSize', minSize, sizeLimit);
  return new EnvoyRing(minSize, maxSize, options.name, readNodes(nodes as readonly NodeOf<N>[]));
}

class EnvoyRing<T> extends Base<T> {
  readonly space = 'xxh64';
  readonly #minSize: number;
  readonly #maxSize: number;
  readonly #given: readonly Member<T>[];
  readonly #counts: readonly number[];
  /** The points' upper and lower halves, ascending, and the owner of each by its place in `#given`. */
  readonly #hi: Uint32Array;
  readonly #lo: Uint32Array;
  readonly #owners: Uint32Array;

  constructor(minSize: number, maxSize: number, name: string | undefined, given: readonly Member<T>[]) {
    super(['envoy-ring', minSize, maxSize], name);
    this.#minSize = minSize;
    this.#maxSize = maxSize;
    this.#given = given;
    this.#counts = pointCounts(given, minSize, maxSize);
    const { hi, lo, owners } = points(given, this.#counts);
    const order = Uint32Array.from(owners, (_, i) => i).sort((a, b) => hi[a]! - hi[b]! || lo[a]! - lo[b]!);
    this.#hi = order.map((i) => hi[i]!);
    this.#lo = order.map((i) => lo[i]!);
    this.#owners = order.map((i) => owners[i]!);
  }

  get size(): number {
    return this.#given.length;
  }

  get(key: HashKey): T | undefined {
    return this.#given[this.#owners[this.#seek(key)]!]?.node;
  }

  find(key: HashKey, accept: (node: T) => boolean): T | undefined {
    const asked = new Set<number>();
    const first = this.#seek(key);
    for (let i = 0; i < this.#owners.length && asked.size < this.size; i += 1) {
      const owner = this.#owners[(first + i) % this.#owners.length]!;
      if (asked.has(owner)) continue;
      asked.add(owner);
      const { node } = this.#given[owner]!;
      if (accept(node)) return node;
    }
    return undefined;
  }

  with(node: T): Topology<T> {
    return new EnvoyRing(this.#minSize, this.#maxSize, this.name, append(this.#given, node));
  }

  without(id: string): Topology<T> {
    const rest = this.#given.filter((member) => member.id !== id);
    return rest.length === this.size ? this : new EnvoyRing(this.#minSize, this.#maxSize, this.name, rest);
  }

  position(key: HashKey): Position {
    const { bytes, length } = encode(key);
    const { hi, lo } = xxh64(bytes, length, 0);
    return (BigInt(hi >>> 0) << 32n) + BigInt(lo >>> 0);
  }

  eachRange(visit: (id: string, start: Position, end: Position) => void): void {
    let start = 0n;
    for (let i = 0; i < this.#owners.length; i += 1) {
      const end = (BigInt(this.#hi[i]!) << 32n) + BigInt(this.#lo[i]!) + 1n;
      visit(this.#given[this.#owners[i]!]!.id, start, end);
      start = end;
    }
    // What lies behind the last point belongs to the first one.
    if (start > 0n && start < 1n << 64n) visit(this.#given[this.#owners[0]!]!.id, start, 1n << 64n);
  }

  protected list(): readonly Member<T>[] {
    return this.#given;
  }

  /** The counts, since they are what the order of hosts may change. */
  protected override identity(): Json {
    const counts = new Map(this.#given.map(({ id }, i) => [id, this.#counts[i]!]));
    return this.members.map(({ id }) => [id, counts.get(id)!]);
  }

  /** The first point at or after the key's hash; 0 if there is none. */
  #seek(key: HashKey): number {
    const { bytes, length } = encode(key);
    const hash = xxh64(bytes, length, 0);
    const hi = hash.hi >>> 0;
    const lo = hash.lo >>> 0;
    let from = 0;
    let to = this.#owners.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const above = this.#hi[middle]!;
      if (above < hi || (above === hi && this.#lo[middle]! < lo)) from = middle + 1;
      else to = middle;
    }
    return from === this.#owners.length ? 0 : from;
  }
}

/** How many points each host has, by Envoy's running sums and in its order of floating-point operations. */
function pointCounts(
  members: readonly Member<unknown>[],
  minSize: number,
  maxSize: number,
): readonly number[] {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const weights = members.map(({ weight }) => weight / total);
  const smallest = weights.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), 1);
  const scale = Math.min(Math.ceil(smallest * minSize) / smallest, maxSize);
  let current = 0;
  let target = 0;
  return weights.map((weight) => {
    const before = current;
    target += scale * (weight || 0);
    while (current < target) current += 1;
    return current - before;
  });
}

function points(members: readonly Member<unknown>[], counts: readonly number[]) {
  const size = counts.reduce((sum, count) => sum + count, 0);
  const hi = new Uint32Array(size);
  const lo = new Uint32Array(size);
  const owners = new Uint32Array(size);
  let at = 0;
  for (const [owner, { id }] of members.entries()) {
    for (let i = 0; i < counts[owner]!; i += 1, at += 1) {
      const bytes = bytesOf(`${id}_${i}`);
      const hash = xxh64(bytes, bytes.length, 0);
      hi[at] = hash.hi;
      lo[at] = hash.lo;
      owners[at] = owner;
    }
  }
  return { hi, lo, owners };
}
