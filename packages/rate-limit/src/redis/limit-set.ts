import { entityKey } from '@weir/redis';
import { ticksPerMs } from '../internal/column.ts';
import { unitsOf } from '../internal/gcra.ts';
import type { Limit } from '../limit.ts';

const codes = {
  'fixed-window': 1,
  'sliding-window': 2,
  'sliding-log': 3,
  'token-bucket': 4,
  'leaky-bucket': 5,
} as const;

/** The limits of a key, as the script is told of them. */
export interface LimitSet {
  readonly limits: readonly Limit[];
  /** Arguments of the script. */
  readonly args: readonly string[];
  /** Told apart by it in the names of keys: each set of limits counts for itself. */
  readonly tag: string;
  /** Where the sliding logs stand among the limits. */
  readonly logs: readonly number[];
  /** The shortest window of those that start anew, ms; Infinity if there is none. */
  readonly windowMs: number;
  /** The least that any of them admits at once. */
  readonly capacity: number;
}

/** Sets remembered. A limiter has one, or up to 64 if it has one per plan. */
const MOST_SETS = 1024;

/** Sets of limits, each read once. */
export class LimitSets {
  readonly #byArray = new WeakMap<readonly Limit[], LimitSet>();
  readonly #byId = new Map<string, LimitSet>();

  of(limits: readonly Limit[]): LimitSet {
    const known = this.#byArray.get(limits);
    if (known !== undefined) return known;
    const id = limits.map((limit) => limit.id).join();
    let set = this.#byId.get(id);
    if (set === undefined) {
      set = read(limits, id);
      if (this.#byId.size >= MOST_SETS) this.#byId.clear();
      this.#byId.set(id, set);
    }
    this.#byArray.set(limits, set);
    return set;
  }
}

function read(limits: readonly Limit[], id: string): LimitSet {
  const windows = limits.filter(
    ({ algorithm }) => algorithm === 'fixed-window' || algorithm === 'sliding-window',
  );
  return {
    limits,
    args: [limits.length, ...limits.flatMap(numbersOf)].map(String),
    tag: entityKey('', id).slice(1, 9),
    logs: limits.flatMap(({ algorithm }, i) => (algorithm === 'sliding-log' ? [i] : [])),
    windowMs: Math.min(Number.POSITIVE_INFINITY, ...windows.map(({ perMs }) => perMs)),
    capacity: Math.min(...limits.map(({ capacity }) => capacity)),
  };
}

function numbersOf(limit: Limit): readonly number[] {
  const code = codes[limit.algorithm];
  if (code <= 3) return [code, limit.capacity, limit.perMs * ticksPerMs, 0];
  const { token, tick } = unitsOf(limit);
  return [code, limit.capacity, token, tick];
}
