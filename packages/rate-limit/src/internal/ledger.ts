import { type Decision, joined } from '../decision.ts';
import type { Limit, LimitState } from '../limit.ts';
import { type Column, inMs } from './column.ts';
import type { KeyIndex, Slots } from './key-index.ts';
import type { Timeline } from './timeline.ts';

/** 'peek' charges nothing; 'turn' asks as the first in a queue does. */
export type Mode = 'charge' | 'peek' | 'turn';

/** The states of all keys under one set of limits. */
export class Ledger implements Slots {
  readonly limits: readonly Limit[];
  readonly index: KeyIndex;
  readonly #timeline: Timeline;
  readonly #columns: readonly Column[];
  /** The only one of them; undefined if there are several. */
  readonly #only: Column | undefined;
  /** What each limit said last, so that asking allocates nothing. */
  readonly #waits: Float64Array;
  /** One more slot stays empty: the state of keys that have none. */
  #slots = 0;
  /** When the block of each slot ends; made at the first block. */
  #blocks: Float64Array | undefined;

  constructor(limits: readonly Limit[], timeline: Timeline, open: (slots: Slots) => KeyIndex) {
    this.limits = limits;
    this.#timeline = timeline;
    this.#columns = limits.map((limit) => limit.column(timeline));
    this.#only = limits.length === 1 ? this.#columns[0] : undefined;
    this.#waits = new Float64Array(limits.length);
    this.index = open(this);
  }

  /** Charges all limits or none. */
  check(key: string, cost: number): Decision {
    this.#timeline.tick();
    const slot = this.index.claim(key);
    const only = this.#only;
    return only === undefined || (this.#blocks !== undefined && this.#blocked(slot) > 0)
      ? this.#join(slot, cost, 'charge')
      : only.check(slot, cost);
  }

  /** As `check`, without charging ('peek'), or for the first in a queue ('turn'). */
  decide(key: string, cost: number, mode: Mode): Decision {
    this.#timeline.tick();
    return mode === 'peek'
      ? this.#join(this.#find(key), cost, mode)
      : this.#join(this.index.claim(key), cost, mode);
  }

  /** At least so many ticks until the turn of one behind `ahead` queued units; `never` if the queue has no room. */
  delay(key: string, cost: number, ahead: number): number {
    const slot = this.#find(key);
    const delays = this.#columns.map((column) => column.delay(slot, cost, ahead));
    return Math.max(this.#blocked(slot), ...delays);
  }

  charge(key: string, cost: number): void {
    this.#timeline.tick();
    this.#charge(this.index.claim(key), cost);
  }

  refund(key: string, cost: number): void {
    const slot = this.#find(key);
    for (const column of this.#columns) column.refund(slot, cost);
  }

  block(key: string, ticks: number): void {
    this.#timeline.tick();
    const slot = this.index.claim(key, true);
    this.#blocks ??= new Float64Array(this.#slots + 1);
    this.#blocks[slot] = this.#timeline.now + ticks;
  }

  reset(key: string): void {
    this.clear(this.#find(key));
  }

  pressure(slot: number): number {
    if (this.#blocked(slot) > 0) return 2;
    let most = 0;
    for (let i = 0; i < this.#columns.length; i += 1) {
      const column = this.#columns[i]!;
      const remaining = column.remaining(slot);
      if (remaining === 0) return 1;
      const used = 1 - remaining / (this.limits[i]!.capacity + 1);
      if (used > most && column.reset(slot) > 0) most = used;
    }
    return most;
  }

  clear(slot: number): void {
    for (const column of this.#columns) column.clear(slot);
    if (this.#blocks !== undefined) this.#blocks[slot] = 0;
  }

  grow(slots: number): void {
    this.#slots = slots;
    for (const column of this.#columns) column.grow(slots + 1);
    if (this.#blocks === undefined) return;
    const blocks = new Float64Array(slots + 1);
    blocks.set(this.#blocks);
    this.#blocks = blocks;
  }

  #join(slot: number, cost: number, mode: Mode): Decision {
    const columns = this.#columns;
    const waits = this.#waits;
    const blocked = this.#blocked(slot);
    let longest = blocked;
    for (let i = 0; i < columns.length; i += 1) {
      waits[i] = mode === 'turn' ? columns[i]!.turn(slot, cost) : columns[i]!.wait(slot, cost);
      longest = Math.max(longest, waits[i]!);
    }
    if (longest === 0 && mode !== 'peek') this.#charge(slot, cost);
    const states: LimitState[] = [];
    for (let i = 0; i < columns.length; i += 1) {
      const { name, capacity, windowMs } = this.limits[i]!;
      const column = columns[i]!;
      states.push({
        policy: name,
        limit: capacity,
        remaining: column.remaining(slot),
        retryAfterMs: inMs(waits[i]!),
        resetMs: inMs(column.reset(slot)),
        windowMs,
      });
    }
    return joined(states, inMs(blocked));
  }

  #charge(slot: number, cost: number): void {
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i += 1) columns[i]!.charge(slot, cost);
  }

  /** The key's slot now; the empty one if it has none. */
  #find(key: string): number {
    this.#timeline.tick();
    const slot = this.index.find(key);
    return slot === -1 ? this.#slots : slot;
  }

  #blocked(slot: number): number {
    return this.#blocks === undefined ? 0 : Math.max(0, this.#blocks[slot]! - this.#timeline.now);
  }
}
