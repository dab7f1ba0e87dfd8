import { InvalidOptionError, integer, knownOptions } from '@weir/core';
import { hashBytes, type HashKey, signedHash } from './hash-key.ts';
import { ArcIndex } from './internal/arc-index.ts';
import { byId, idTaken, readNode, readNodes } from './internal/members.ts';
import { mix } from './internal/murmur3.ts';
import { PointRing, type Slots } from './internal/point-ring.ts';
import type { Member, NodeOf, Topology, TopologyNode } from './topology.ts';

export interface RingOptions {
  /**
   * Points on the ring for a weight of 1. More of them spread keys more evenly and cost memory: the standard deviation
   * of a share is about 1 / sqrt(vnodes). Integer, 1 to 65,536. Changing it moves most keys.
   *
   * @default 160
   */
  readonly vnodes?: number | undefined;
  /** Name of the component. @default 'topology-<n>' */
  readonly name?: string | undefined;
}

/** Beyond this a weight is a mistake: 2^23 points take 64 MB. */
const maxPoints = 2 ** 23;

/**
 * A ring of virtual nodes (Karger et al., 1997): a node owns the hashes from its neighbour's point (excluded) to its
 * own (included), so adding or removing a node moves only what that node owns.
 *
 * Point i of a node is `fmix32(a + i * b)`, where `a` is murmur3_x86_32 of the id with seed 0, `b` the same with seed
 * 1 and its lowest bit set, and fmix32 that hash's finaliser; a node has `max(1, round(weight * vnodes))` of them. Of
 * nodes with the same point, the lesser id owns it. `get` is O(1), `with` and `without` copy memory, building is
 * O(points). A point takes 4 bytes, the index 4 to 8 more.
 *
 * @throws InvalidOptionError if an option, an id or a weight is wrong, or two nodes share an id.
 *
 * @example
 * const ring = createRing(['cache-a', 'cache-b', { id: 'cache-c', weight: 2 }]);
 * ring.get('user:1'); // the same node in every process
 */
export function createRing<N extends TopologyNode>(
  nodes: readonly N[],
  options: RingOptions = {},
): Topology<NodeOf<N>> {
  knownOptions(options, ['vnodes', 'name'], 'createRing');
  const vnodes = integer(options.vnodes ?? 160, 'vnodes', 1, 65_536);
  const slots = byId(readNodes(nodes as readonly NodeOf<N>[]));
  return new Ring(vnodes, options.name, slots, build(slots, vnodes));
}

class Ring<T> extends PointRing<T> {
  protected readonly space = 'murmur3_32';
  readonly #vnodes: number;

  constructor(vnodes: number, name: string | undefined, slots: Slots<T>, index: ArcIndex) {
    super(['ring', vnodes], name, slots, index);
    this.#vnodes = vnodes;
  }

  with(node: T): Topology<T> {
    const member = readNode(node);
    const { id } = member;
    if (this.#slotOf(id) !== -1) throw idTaken(id);
    const hole = this.slots.indexOf(undefined);
    const slot = hole === -1 ? this.slots.length : hole;
    const slots = this.slots.slice();
    slots[slot] = member;
    const points = pointsOf(member, this.#vnodes);
    if (!this.index.fits(this.index.size + points.length, slots.length)) return this.#rebuilt(slots);
    return this.#next(
      slots,
      this.index.edit(points, slot, true, (other) => slots[other]!.id < id),
    );
  }

  without(id: string): Topology<T> {
    const slot = this.#slotOf(id);
    if (slot === -1) return this;
    const points = pointsOf(this.slots[slot]!, this.#vnodes);
    const slots = this.slots.with(slot, undefined);
    if (!this.index.fits(this.index.size - points.length, slots.length)) return this.#rebuilt(slots);
    return this.#next(slots, this.index.edit(points, slot, false, (other) => other !== slot));
  }

  protected hash(key: HashKey): number {
    return signedHash(key);
  }

  #slotOf(id: string): number {
    return this.slots.findIndex((slot) => slot?.id === id);
  }

  #next(slots: Slots<T>, index: ArcIndex): Topology<T> {
    return new Ring(this.#vnodes, this.name, slots, index);
  }

  #rebuilt(slots: Slots<T>): Topology<T> {
    const members = byId(slots.filter((slot) => slot !== undefined));
    return this.#next(members, build(members, this.#vnodes));
  }
}

function build<T>(members: readonly Member<T>[], vnodes: number): ArcIndex {
  const counts = members.map(({ weight }) => pointCount(weight, vnodes));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total > maxPoints) {
    throw new InvalidOptionError('nodes', `so few and so light that ${maxPoints} points are enough`, total);
  }
  const hashes = new Uint32Array(total);
  const owners = new Uint32Array(total);
  let at = 0;
  for (let slot = 0; slot < members.length; slot += 1) {
    const end = at + counts[slot]!;
    fill(hashes.subarray(at, end), members[slot]!.id);
    owners.fill(slot, at, end);
    at = end;
  }
  return ArcIndex.from(hashes, owners, members.length);
}

/** A member's points, ascending. */
function pointsOf({ id, weight }: Member<unknown>, vnodes: number): Uint32Array {
  const hashes = new Uint32Array(pointCount(weight, vnodes));
  fill(hashes, id);
  return hashes.sort();
}

function pointCount(weight: number, vnodes: number): number {
  return weight === 0 ? 0 : Math.max(1, Math.round(weight * vnodes));
}

/** Since `b` is odd and fmix32 a bijection, no two points of a node are the same. */
function fill(hashes: Uint32Array, id: string): void {
  const b = hashBytes(id, 1) | 1;
  let x = hashBytes(id, 0);
  for (let i = 0; i < hashes.length; i += 1) {
    hashes[i] = mix(x);
    x = (x + b) | 0;
  }
}
