import { knownOptions } from '@weir/core';
import { hashBytes } from './hash-key.ts';
import { fill, type Permutation, tableSize } from './internal/maglev-table.ts';
import { byId, readNodes } from './internal/members.ts';
import { SlotTable } from './internal/slot-table.ts';
import type { Member, NodeOf, Topology, TopologyNode } from './topology.ts';

export interface MaglevOptions {
  /**
   * Slots of the table: a prime, at least the number of nodes, 2 to 5,000,011. About a hundred for each node keep
   * shares within 1 %. Changing it moves most keys.
   *
   * @default 65_537
   */
  readonly size?: number | undefined;
  /** Name of the component. @default 'topology-<n>' */
  readonly name?: string | undefined;
}

/**
 * Maglev (Eisenbud et al., 2016): a table in which nodes take slots in turn, so that shares differ by less than 1 %
 * where a ring's differ by 10 %. The price is that a change of one node moves a few keys of others as well (about
 * 0.5 % at 100 nodes and 65,537 slots), and that `with` and `without` build the table anew.
 *
 * A node's slots are tried in the order `offset + k * skip`, where offset is murmur3_x86_32 of the id with seed 0 modulo
 * the size, and skip that with seed 1 modulo size - 1, plus 1. Weights follow Envoy's rule. A key's slot is
 * `floor(hashKey(key) * size / 2^32)`. `get` is O(1); the table takes 2 bytes a slot.
 *
 * @throws InvalidOptionError if `size` is not a prime or too small, an id or a weight is wrong, or two nodes share an id.
 *
 * @example
 * const table = createMaglev(['a:80', 'b:80', 'c:80']);
 * table.get('203.0.113.7:51234');
 */
export function createMaglev<N extends TopologyNode>(
  nodes: readonly N[],
  options: MaglevOptions = {},
): Topology<NodeOf<N>> {
  knownOptions(options, ['size', 'name'], 'createMaglev');
  return new Maglev(tableSize(options.size), options.name, byId(readNodes(nodes as readonly NodeOf<N>[])));
}

class Maglev<T> extends SlotTable<T> {
  constructor(slots: number, name: string | undefined, members: readonly Member<T>[]) {
    super(['maglev', slots], name, members, fill(members, permutation, slots));
  }

  protected remake(members: readonly Member<T>[]): Topology<T> {
    return new Maglev(this.slots, this.name, members);
  }
}

const permutation: Permutation = (id, slots) => ({
  offset: (hashBytes(id, 0) >>> 0) % slots,
  skip: ((hashBytes(id, 1) >>> 0) % (slots - 1)) + 1,
});
