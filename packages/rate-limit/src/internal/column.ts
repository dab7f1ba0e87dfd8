import { type Decision, SingleDecision } from '../decision.ts';
import type { Limit } from '../limit.ts';
import type { Time } from './timeline.ts';

/** Time inside the limiter is whole: ticks of 1/1024 ms, so that sums are exact and a retry is never early by an ulp. */
export const ticksPerMs = 1024;
/** Whole ms, rounded up: whoever waits so long has waited long enough. */
export const inMs = (ticks: number): number => Math.ceil(ticks / ticksPerMs);

/** A wait that never ends. */
export const never: number = Number.POSITIVE_INFINITY;

/**
 * The states of many keys under one limit, by slot, at `time.now`. Nothing here allocates but the decisions. A new slot
 * is a key never seen.
 */
export abstract class Column {
  protected readonly of: Limit;
  protected readonly time: Time;
  protected readonly capacity: number;

  constructor(of: Limit, time: Time) {
    this.of = of;
    this.time = time;
    this.capacity = of.capacity;
  }

  /** Ticks until `cost` fits; 0 if it does now, `never` if it never will. */
  abstract wait(slot: number, cost: number): number;
  /** Charges, asked or not; a debt is at most one capacity. */
  abstract charge(slot: number, cost: number): void;
  abstract refund(slot: number, cost: number): void;
  abstract remaining(slot: number): number;
  /** Ticks until the slot is as good as cleared. */
  abstract reset(slot: number): number;
  abstract clear(slot: number): void;
  /** Makes room for slots below `slots`. */
  abstract grow(slots: number): void;
  abstract load(slot: number, state: readonly number[]): void;
  abstract save(slot: number): readonly number[];

  /** Charges `cost` if it fits, and says so. Made of the others; overridden where that is too slow. */
  check(slot: number, cost: number): Decision {
    const wait = this.wait(slot, cost);
    if (wait === 0) this.charge(slot, cost);
    const reset = this.reset(slot);
    return new SingleDecision(this.of, this.remaining(slot), inMs(wait), inMs(reset));
  }

  /** As `wait`, for the first in a queue: a leaky bucket lets it go when what came before has leaked. */
  turn(slot: number, cost: number): number {
    return this.wait(slot, cost);
  }

  /** At least so many ticks until the turn of one behind `ahead` queued units; `never` if the queue has no room. */
  delay(slot: number, cost: number, ahead: number): number {
    return cost > this.capacity ? never : this.wait(slot, Math.min(cost + ahead, this.capacity));
  }
}

/** A column whose states are a fixed number of numbers. */
export abstract class Cells extends Column {
  protected cells: Float64Array = new Float64Array(0);
  readonly #width: number;

  constructor(of: Limit, time: Time, width: number) {
    super(of, time);
    this.#width = width;
  }

  clear(slot: number): void {
    this.cells.fill(0, slot * this.#width, (slot + 1) * this.#width);
  }

  grow(slots: number): void {
    const cells = new Float64Array(slots * this.#width);
    cells.set(this.cells);
    this.cells = cells;
  }

  load(slot: number, state: readonly number[]): void {
    this.cells.set(state, slot * this.#width);
  }

  save(slot: number): readonly number[] {
    return [...this.cells.subarray(slot * this.#width, (slot + 1) * this.#width)];
  }
}
