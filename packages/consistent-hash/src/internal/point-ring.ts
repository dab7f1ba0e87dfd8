import type { HashKey } from '../hash-key.ts';
import type { Arcs, Member } from '../topology.ts';
import type { ArcIndex } from './arc-index.ts';
import { ringArcs } from './arcs.ts';
import { Base } from './base.ts';

/** Members by the slot number that stands in the index; a removed one leaves a hole, and the others keep theirs. */
export type Slots<T> = readonly (Member<T> | undefined)[];

/** A topology of points on a circle of 32 bits. */
export abstract class PointRing<T> extends Base<T> {
  protected readonly slots: Slots<T>;
  protected readonly index: ArcIndex;
  /** The slots' nodes alone: one load less in `get`. */
  readonly #nodes: (T | undefined)[] = [];

  constructor(traits: Base<T>['traits'], name: string | undefined, slots: Slots<T>, index: ArcIndex) {
    super(traits, name);
    this.slots = slots;
    this.index = index;
    for (const slot of slots) this.#nodes.push(slot?.node);
  }

  protected abstract readonly space: string;
  protected abstract hash(key: HashKey): number;

  get size(): number {
    return this.members.length;
  }

  get(key: HashKey): T | undefined {
    return this.#nodes[this.index.owner(this.hash(key))];
  }

  find(key: HashKey, accept: (node: T) => boolean): T | undefined {
    const asked = new Set<number>();
    let found: T | undefined;
    this.index.each(this.hash(key), (_hash, slot) => {
      if (asked.has(slot)) return false;
      asked.add(slot);
      const { node } = this.slots[slot]!;
      if (!accept(node)) return asked.size === this.size;
      found = node;
      return true;
    });
    return found;
  }

  arcs(): Arcs {
    const ends: number[] = [];
    const owners: (string | undefined)[] = [];
    this.index.each(0, (hash, slot) => {
      ends.push(hash + 1);
      owners.push(this.slots[slot]!.id);
      return false;
    });
    return ringArcs(this.space, 2 ** 32, ends, owners);
  }

  protected list(): readonly Member<T>[] {
    return this.slots.filter((slot) => slot !== undefined);
  }
}
