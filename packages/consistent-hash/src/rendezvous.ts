import { knownOptions, oneOf } from '@weir/core';
import type { HashKey } from './hash-key.ts';
import { Base } from './internal/base.ts';
import { append, byId, readNodes } from './internal/members.ts';
import { EnvoyRanks, Md5Ranks, MurmurRanks, type Ranks } from './internal/ranks.ts';
import type { Member, NodeOf, Topology, TopologyNode } from './topology.ts';

/** Whose clients the placement must agree with. */
export type RendezvousCompat = 'pymemcache' | 'rendezvous-hash' | 'envoy';

export interface RendezvousOptions {
  /**
   * - `pymemcache`: murmur3_x86_32 of `<id>-<key>`; of equal ones the greater id wins;
   * - `rendezvous-hash`: npm rendezvous-hash 1: the first four bytes, little-endian, of the MD5 of id, a zero byte, key;
   * - `envoy`: Envoy's `rendezvous_hash`, its approximate logarithm included.
   *
   * The first two know no weights; here they have them, and agree where all weights are equal.
   *
   * @default 'pymemcache'
   */
  readonly compat?: RendezvousCompat | undefined;
  /** Name of the component. @default 'topology-<n>' */
  readonly name?: string | undefined;
}

const rules = { pymemcache: MurmurRanks, 'rendezvous-hash': Md5Ranks, envoy: EnvoyRanks };

/**
 * Rendezvous or highest-random-weight hashing (Thaler and Ravishankar, 1996): every node draws a number for the key, and
 * the highest one owns it. As even as chance allows, at any weights; a change moves only keys of the node that changed.
 *
 * A node of weight w and draw u, 0 < u < 1, ranks by `-w / ln(u)` (Resch, 2015). `get` is O(nodes), with no memory
 * beside them: take it for few nodes, or for replica sets. `stats` gives the expected shares; there are no ranges.
 *
 * @throws InvalidOptionError if an option, an id or a weight is wrong, or two nodes share an id.
 *
 * @example
 * createRendezvous(['a', 'b', { id: 'c', weight: 0.5 }]).getN('user:1', 2);
 */
export function createRendezvous<N extends TopologyNode>(
  nodes: readonly N[],
  options: RendezvousOptions = {},
): Topology<NodeOf<N>> {
  knownOptions(options, ['compat', 'name'], 'createRendezvous');
  const compat = oneOf(options.compat ?? 'pymemcache', 'compat', [
    'pymemcache',
    'rendezvous-hash',
    'envoy',
  ] as const);
  return new Rendezvous(compat, options.name, byId(readNodes(nodes as readonly NodeOf<N>[])));
}

class Rendezvous<T> extends Base<T> {
  readonly space: undefined;
  readonly #compat: RendezvousCompat;
  readonly #all: readonly Member<T>[];
  readonly #owning: readonly Member<T>[];
  readonly #ranks: Ranks;

  constructor(compat: RendezvousCompat, name: string | undefined, all: readonly Member<T>[]) {
    super(['rendezvous', compat], name);
    this.#compat = compat;
    this.#all = all;
    this.#owning = all.filter(({ weight }) => weight > 0);
    this.#ranks = new rules[compat](this.#owning);
  }

  get size(): number {
    return this.#all.length;
  }

  get(key: HashKey): T | undefined {
    const ranks = this.#ranks;
    ranks.load(key);
    let best = -1;
    let owner = -1;
    // From the greatest id down, so that a tie goes to it.
    for (let i = this.#owning.length - 1; i >= 0; i -= 1) {
      const rank = ranks.of(i);
      if (rank > best) {
        best = rank;
        owner = i;
      }
    }
    return this.#owning[owner]?.node;
  }

  find(key: HashKey, accept: (node: T) => boolean): T | undefined {
    this.#ranks.load(key);
    const drawn = this.#owning.map(({ node }, i) => ({ node, i, rank: this.#ranks.of(i) }));
    drawn.sort((a, b) => b.rank - a.rank || b.i - a.i);
    return drawn.find(({ node }) => accept(node))?.node;
  }

  with(node: T): Topology<T> {
    return new Rendezvous(this.#compat, this.name, byId(append(this.#all, node)));
  }

  without(id: string): Topology<T> {
    const rest = this.#all.filter((member) => member.id !== id);
    return rest.length === this.size ? this : new Rendezvous(this.#compat, this.name, rest);
  }

  position(): undefined {}

  eachRange(): void {}

  protected override shares(): ReadonlyMap<string, number> {
    return new Map(this.#all.map(({ id, weight }) => [id, weight]));
  }

  protected list(): readonly Member<T>[] {
    return this.#all;
  }
}
