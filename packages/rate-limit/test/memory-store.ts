import type { Clock } from '@weir/core';
import { type LimitState, Store, type StoreAnswer, type StoreKey, type StoreRequest } from '../src/index.ts';
import type { Column } from '../src/internal/column.ts';
import { inMs, ticksPerMs } from '../src/internal/column.ts';

/** A store as plain as it can be: a column of one slot for each key and limit, in a Map. */
export class MemoryStore extends Store {
  readonly requests: StoreRequest[] = [];
  readonly closed: string[] = [];
  readonly #clock: Clock;
  /** What all columns go by. */
  readonly #time = { now: 0, epoch: 0 };
  readonly #columns = new Map<string, Column>();
  readonly #blocks = new Map<string, number>();

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
  }

  decide(request: StoreRequest): StoreAnswer | Promise<StoreAnswer> {
    this.requests.push(request);
    const { limits, cost, mode } = request;
    const now = this.#now();
    const blockedMs = inMs(Math.max(0, (this.#blocks.get(id(request)) ?? 0) - now));
    const columns = this.#of(request);
    const ask = mode === 'turn' ? 'turn' : 'wait';
    const waits = columns.map((column) => column[ask](0, cost));
    if (mode !== 'peek' && Math.max(blockedMs, ...waits) === 0) {
      for (const column of columns) column.charge(0, cost);
    }
    const states = columns.map((column, i): LimitState => {
      const { name: policy, capacity: limit, windowMs } = limits[i]!;
      const remaining = column.remaining(0);
      const resetMs = inMs(column.reset(0));
      return { policy, limit, remaining, retryAfterMs: inMs(waits[i]!), resetMs, windowMs };
    });
    return { limits: states, blockedMs };
  }

  adjust(key: StoreKey, units: number): void | Promise<void> {
    for (const column of this.#of(key)) {
      if (units < 0) column.refund(0, -units);
      else column.charge(0, units);
    }
  }

  block(key: StoreKey, ms: number): void | Promise<void> {
    this.#blocks.set(id(key), this.#now() + ms * ticksPerMs);
  }

  reset(key: StoreKey): void | Promise<void> {
    this.#blocks.delete(id(key));
    for (const column of this.#of(key)) column.clear(0);
  }

  override close(limiter: string): void {
    this.closed.push(limiter);
  }

  #of(key: StoreKey): readonly Column[] {
    this.#now();
    return key.limits.map((limit) => {
      const at = JSON.stringify([id(key), limit.id]);
      let column = this.#columns.get(at);
      if (column === undefined) {
        column = limit.column(this.#time);
        column.grow(1);
        this.#columns.set(at, column);
      }
      return column;
    });
  }

  #now(): number {
    this.#time.now = Math.floor(this.#clock.epoch() * ticksPerMs);
    return this.#time.now;
  }
}

const id = ({ limiter, key }: StoreKey): string => JSON.stringify([limiter, key]);
