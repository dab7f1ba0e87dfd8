import type { Json } from '@weir/core';
import { type HashKey, signedHash } from '../hash-key.ts';
import type { Member, Position, Topology } from '../topology.ts';
import { Base } from './base.ts';
import { append, byId } from './members.ts';

/** The owner of each slot, by its number among the members of weight > 0 in order of their ids. */
export type Owners = Uint16Array | Uint32Array;

/** A topology of slots of equal size, by default over the hash space of `hashKey`. */
export abstract class SlotTable<T> extends Base<T> {
  readonly size: number;
  readonly space: string = 'murmur3_32';
  protected readonly slots: number;
  protected readonly owners: Owners;
  /** By ascending id. */
  protected readonly all: readonly Member<T>[];
  /** Those of weight > 0. */
  protected readonly owning: readonly Member<T>[];
  readonly #nodes: readonly T[];

  constructor(traits: readonly Json[], name: string | undefined, all: readonly Member<T>[], owners: Owners) {
    super(traits, name);
    this.size = all.length;
    this.slots = owners.length;
    this.owners = owners;
    this.all = all;
    this.owning = all.filter(({ weight }) => weight > 0);
    this.#nodes = this.owning.map(({ node }) => node);
  }

  protected abstract remake(members: readonly Member<T>[]): Topology<T>;

  get(key: HashKey): T | undefined {
    return this.#nodes[this.owners[this.slotOf(key)]!];
  }

  find(key: HashKey, accept: (node: T) => boolean): T | undefined {
    const asked = new Set<number>();
    const first = this.slotOf(key);
    for (let i = 0; i < this.slots && asked.size < this.#nodes.length; i += 1) {
      const owner = this.owners[(first + i) % this.slots]!;
      if (asked.has(owner)) continue;
      asked.add(owner);
      const node = this.#nodes[owner]!;
      if (accept(node)) return node;
    }
    return undefined;
  }

  with(node: T): Topology<T> {
    return this.remake(byId(append(this.all, node)));
  }

  without(id: string): Topology<T> {
    const rest = this.all.filter((member) => member.id !== id);
    return rest.length === this.size ? this : this.remake(rest);
  }

  eachRange(visit: (id: string, start: Position, end: Position) => void): void {
    if (this.#nodes.length === 0) return;
    for (let slot = 0; slot < this.slots; slot += 1) {
      visit(this.owning[this.owners[slot]!]!.id, this.start(slot), this.start(slot + 1));
    }
  }

  position(key: HashKey): Position {
    return signedHash(key) >>> 0;
  }

  protected slotOf(key: HashKey): number {
    return ((signedHash(key) >>> 0) * (this.slots / 2 ** 32)) | 0;
  }

  /** The first position that belongs to a slot. */
  protected start(slot: number): number {
    return Math.ceil((slot * 2 ** 32) / this.slots);
  }

  protected list(): readonly Member<T>[] {
    return this.all;
  }
}
