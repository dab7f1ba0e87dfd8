import { knownOptions, oneOf } from '@weir/core';
import { bytesOf, type HashKey } from './hash-key.ts';
import { ArcIndex } from './internal/arc-index.ts';
import { encode } from './internal/encode.ts';
import { md5 } from './internal/md5.ts';
import { append, byId, readNodes } from './internal/members.ts';
import { PointRing } from './internal/point-ring.ts';
import type { Member, NodeOf, Topology, TopologyNode } from './topology.ts';

/** Whose clients the placement must agree with. They round differently, so one key in forty may differ. */
export type KetamaCompat = 'libketama' | 'libmemcached' | 'hashring';

export interface KetamaOptions {
  /**
   * - `libketama`: labels as configured, point counts by way of a 32-bit share; also twemproxy's and uhashring's label;
   * - `libmemcached`: its `KETAMA_WEIGHTED`: port 11211 is left out of the label, every step has 32 bits;
   * - `hashring`: npm hashring 3: labels as configured, 64-bit floats.
   *
   * @default 'libketama'
   */
  readonly compat?: KetamaCompat | undefined;
  /** Name of the component. @default 'topology-<n>' */
  readonly name?: string | undefined;
}

const f32 = Math.fround;

/** `(float)weight / (float)total`: weights that are bytes of memory do not fit 24 bits. */
const share32 = (weight: number, total: number): number => f32(f32(weight) / f32(total));

/** How many MD5 hashes, of four points each, a server of that weight has among `n`, as C computes it or JavaScript. */
export const hashCounts: {
  readonly [compat in KetamaCompat]: (weight: number, total: number, n: number) => number;
} = {
  libketama: (weight, total, n) => Math.floor(f32(share32(weight, total) * 40 * n)),
  // It also adds 1e-10 at the end, which no float of this size notices.
  libmemcached: (weight, total, n) => Math.floor(f32(f32(f32(share32(weight, total) * 160) / 4) * n)),
  hashring: (weight, total, n) => Math.floor((weight / total) * 40 * n),
};

/**
 * The ring of memcached clients, point for point (Richard Jones, libketama, 2007). Ids are `host:port`.
 *
 * A node has up to 160 points for an average weight, each a quarter of the MD5 of `<id>-<k>`; a key's hash is the first
 * quarter of its MD5. Counts depend on all weights, so a change of one node can move a few keys of others, and a node
 * whose weight is below 1/40 of the average may have no point at all: that is what the clients do. `get` costs an MD5,
 * about half a microsecond; `with` and `without` build anew.
 *
 * @throws InvalidOptionError if an option, an id or a weight is wrong, or two nodes share an id.
 *
 * @example
 * const ring = createKetama(['10.0.1.1:11211', '10.0.1.2:11211'], { compat: 'libmemcached' });
 * ring.get('session:abc');
 */
export function createKetama<N extends TopologyNode>(
  nodes: readonly N[],
  options: KetamaOptions = {},
): Topology<NodeOf<N>> {
  knownOptions(options, ['compat', 'name'], 'createKetama');
  const compat = oneOf(options.compat ?? 'libketama', 'compat', [
    'libketama',
    'libmemcached',
    'hashring',
  ] as const);
  return new Ketama(compat, options.name, byId(readNodes(nodes as readonly NodeOf<N>[])));
}

class Ketama<T> extends PointRing<T> {
  readonly space = 'md5_32';
  readonly #compat: KetamaCompat;

  constructor(compat: KetamaCompat, name: string | undefined, members: readonly Member<T>[]) {
    super(['ketama', compat], name, members, build(members, compat));
    this.#compat = compat;
  }

  with(node: T): Topology<T> {
    return new Ketama(this.#compat, this.name, byId(append(this.members, node)));
  }

  without(id: string): Topology<T> {
    const rest = this.members.filter((member) => member.id !== id);
    return rest.length === this.size ? this : new Ketama(this.#compat, this.name, rest);
  }

  protected hash(key: HashKey): number {
    const { bytes, length } = encode(key);
    return md5(bytes, length)[0]!;
  }
}

function build<T>(members: readonly Member<T>[], compat: KetamaCompat): ArcIndex {
  const weights = members.map(({ weight }) => weight);
  const n = weights.filter((weight) => weight > 0).length;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const hashes: number[] = [];
  const owners: number[] = [];
  for (const [slot, { id, weight }] of members.entries()) {
    const count = weight === 0 ? 0 : hashCounts[compat](weight, total, n);
    const label = compat === 'libmemcached' ? id.replace(/:11211$/, '') : id;
    for (let k = 0; k < count; k += 1) {
      const bytes = bytesOf(`${label}-${k}`);
      for (const point of md5(bytes, bytes.length)) {
        hashes.push(point);
        owners.push(slot);
      }
    }
  }
  return ArcIndex.from(Uint32Array.from(hashes), Uint32Array.from(owners), members.length);
}
