import type { HashKey } from '../hash-key.ts';
import type { Member, Position } from '../topology.ts';
import type { ArcIndex } from './arc-index.ts';
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

  position(key: HashKey): Position {
    return this.hash(key) >>> 0;
  }

  eachRange(visit: (id: string, start: Position, end: Position) => void): void {
    let start = 0;
    let first: string | undefined;
    this.index.each(0, (hash, slot) => {
      const { id } = this.slots[slot]!;
      first ??= id;
      visit(id, start, hash + 1);
      start = hash + 1;
      return false;
    });
    // What lies behind the last point belongs to the first one.
    if (first !== undefined && start < 2 ** 32) visit(first, start, 2 ** 32);
  }

  protected list(): readonly Member<T>[] {
    return this.slots.filter((slot) => slot !== undefined);
  }
}
