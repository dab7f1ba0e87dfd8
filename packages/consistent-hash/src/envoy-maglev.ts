import { knownOptions } from '@weir/core';
import { bytesOf, type HashKey } from './hash-key.ts';
import { encode } from './internal/encode.ts';
import { fill, type Permutation, tableSize } from './internal/maglev-table.ts';
import { byId, readNodes } from './internal/members.ts';
import { SlotTable } from './internal/slot-table.ts';
import { xxh64 } from './internal/xxh64.ts';
import type { MaglevOptions } from './maglev.ts';
import type { Member, NodeOf, Position, Topology, TopologyNode } from './topology.ts';

/**
 * Envoy's `maglev` load balancer, slot for slot: ids are what Envoy hashes a host by (its address, or its hostname with
 * `use_hostname_for_hashing`), and a key is the text that its one hash policy yields, such as a header's value.
 *
 * Hosts take part in the order of their ids with offset xxh64(id, seed 0) % size and skip xxh64(id, seed 1) % (size - 1)
 * + 1; a key's slot is xxh64(key) % size. Positions of `ranges` are slots. Preference beyond the owner is this
 * package's own: Envoy retries by another hash.
 *
 * @throws InvalidOptionError if `size` is not a prime or too small, an id or a weight is wrong, or two nodes share an id.
 *
 * @example
 * createEnvoyMaglev(['127.0.0.1:90', '127.0.0.1:91'], { size: 65_537 }).get('user-42');
 */
export function createEnvoyMaglev<N extends TopologyNode>(
  nodes: readonly N[],
  options: MaglevOptions = {},
): Topology<NodeOf<N>> {
  knownOptions(options, ['size', 'name'], 'createEnvoyMaglev');
  return new EnvoyMaglev(
    tableSize(options.size),
    options.name,
    byId(readNodes(nodes as readonly NodeOf<N>[])),
  );
}

class EnvoyMaglev<T> extends SlotTable<T> {
  override readonly space: string;

  constructor(slots: number, name: string | undefined, members: readonly Member<T>[]) {
    super(['envoy-maglev', slots], name, members, fill(members, permutation, slots));
    this.space = `xxh64_mod_${slots}`;
  }

  protected override slotOf(key: HashKey): number {
    const { bytes, length } = encode(key);
    return xxh64(bytes, length, 0).modulo(this.slots);
  }

  override position(key: HashKey): Position {
    return this.slotOf(key);
  }

  protected override start(slot: number): number {
    return slot;
  }

  protected remake(members: readonly Member<T>[]): Topology<T> {
    return new EnvoyMaglev(this.slots, this.name, members);
  }
}

const permutation: Permutation = (id, slots) => {
  const bytes = bytesOf(id);
  return {
    offset: xxh64(bytes, bytes.length, 0).modulo(slots),
    skip: xxh64(bytes, bytes.length, 1).modulo(slots - 1) + 1,
  };
};
