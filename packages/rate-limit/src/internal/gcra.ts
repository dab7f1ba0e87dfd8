import { type Decision, SingleDecision } from '../decision.ts';
import type { Limit } from '../limit.ts';
import { Cells, never, ticksPerMs } from './column.ts';
import type { Time } from './timeline.ts';

/** Sums stay below 2^53 if a full bucket is below 2^50 and time is below 2^52. */
const largestBucket = 2 ** 50;
const largestTime = 2 ** 52;

/** The unit in which a bucket counts time and tokens alike. */
export interface Units {
  /** Units that a token takes up. Whole. */
  readonly token: number;
  /** Units that a tick gives back. Whole, but where no unit is fine enough: then off by less than 2^-52 of itself. */
  readonly tick: number;
}

/** The coarsest unit of which a token and a tick are both whole numbers. */
export function unitsOf({ limit, perMs, capacity }: Limit): Units {
  const per = perMs * ticksPerMs;
  const common = gcd(limit, per);
  if ((per / common) * capacity <= largestBucket) return { token: per / common, tick: limit / common };
  const token = Math.floor(largestBucket / capacity);
  return { token, tick: (token / per) * limit };
}

/**
 * The generic cell rate algorithm in its virtual-scheduling form (ITU-T I.371, annex A): the state is one number,
 * the theoretical arrival time at which the bucket would be empty again.
 *
 * Time and tokens are counted in one unit of which both are whole numbers. All sums are then exact, at any rate: with
 * milliseconds, high rates would drown in the rounding.
 */
export class Gcra extends Cells {
  readonly #token: number;
  readonly #tick: number;
  readonly #full: number;
  /** Units that a millisecond gives back. */
  readonly #ms: number;
  readonly #shapes: boolean;
  /** What may be left of those before when the next one leaves: timers are too coarse for spaces below 1 ms. */
  readonly #slack: number;
  /** Where time in units starts. It moves on before numbers would lose precision. */
  #origin = 0;
  #horizon: number;

  constructor(of: Limit, time: Time, shapes: boolean) {
    super(of, time, 1);
    const { token, tick } = unitsOf(of);
    this.#token = token;
    this.#tick = tick;
    this.#full = token * of.capacity;
    this.#ms = tick * ticksPerMs;
    this.#shapes = shapes;
    this.#slack = token < this.#ms ? this.#ms : 0;
    this.#horizon = largestTime / tick;
  }

  override check(slot: number, cost: number): Decision {
    // All in one place, as most decisions of most users are made here.
    const time = this.#units();
    let level = Math.max(0, this.cells[slot]! - time);
    const over = level + cost * this.#token - this.#full;
    let wait = 0;
    if (over > 0) wait = cost > this.capacity ? never : Math.ceil(over / this.#ms);
    else {
      level = this.#full + over;
      this.cells[slot] = time + level;
    }
    const room = this.#full - level;
    const remaining = room > 0 ? Math.floor(room / this.#token) : 0;
    return new SingleDecision(this.of, remaining, wait, Math.ceil(level / this.#ms));
  }

  wait(slot: number, cost: number): number {
    if (cost > this.capacity) return never;
    const time = this.#units();
    const over = Math.max(this.cells[slot]!, time) + cost * this.#token - this.#full - time;
    return over <= 0 ? 0 : this.#ticks(over);
  }

  override turn(slot: number, cost: number): number {
    if (!this.#shapes || cost > this.capacity) return this.wait(slot, cost);
    return this.#ticks(Math.max(0, this.#level(slot) - this.#slack));
  }

  override delay(slot: number, cost: number, ahead: number): number {
    if (!this.#shapes) return super.delay(slot, cost, ahead);
    const queued = this.#level(slot) + ahead * this.#token;
    if (queued + cost * this.#token > this.#full) return never;
    return this.#ticks(queued);
  }

  charge(slot: number, cost: number): void {
    const time = this.#units();
    const arrival = Math.max(this.cells[slot]!, time) + Math.min(cost, 2 * this.capacity) * this.#token;
    this.cells[slot] = Math.min(arrival, time + 2 * this.#full);
  }

  refund(slot: number, cost: number): void {
    this.cells[slot] = Math.max(0, this.cells[slot]! - Math.min(cost, 2 * this.capacity) * this.#token);
  }

  remaining(slot: number): number {
    return Math.max(0, Math.floor((this.#full - this.#level(slot)) / this.#token));
  }

  reset(slot: number): number {
    return this.#ticks(this.#level(slot));
  }

  override load(slot: number, [arrival = 0, origin = 0]: readonly number[]): void {
    this.#origin = origin;
    this.#horizon = origin + largestTime / this.#tick;
    this.cells[slot] = arrival;
  }

  override save(slot: number): readonly number[] {
    return [this.cells[slot]!, this.#origin];
  }

  /** What is in the bucket. The time is read first: reading it may move the origin, and all cells with it. */
  #level(slot: number): number {
    const time = this.#units();
    return Math.max(0, this.cells[slot]! - time);
  }

  /** Time in units. */
  #units(): number {
    const { now } = this.time;
    if (now > this.#horizon) this.#rebase(now);
    return Math.floor((now - this.#origin) * this.#tick);
  }

  #rebase(now: number): void {
    const units = Math.floor((now - this.#origin) * this.#tick);
    this.#origin = now;
    this.#horizon = now + largestTime / this.#tick;
    const { cells } = this;
    for (let slot = 0; slot < cells.length; slot += 1) cells[slot] = Math.max(0, cells[slot]! - units);
  }

  /** How many whole ticks give back so many units. Where a tick is not whole, decades may come out a tick short. */
  #ticks(units: number): number {
    return Math.ceil(units / this.#tick);
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
