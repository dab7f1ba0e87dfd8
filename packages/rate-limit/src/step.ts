import { inMs } from './internal/column.ts';
import type { Limit, LimitState } from './limit.ts';

/**
 * One step of an algorithm: the state of a key, the time and a cost in, the state it becomes and what is decided out.
 * The state of a key never seen is `[]`. A refused cost changes nothing.
 *
 * `now` is in ticks of 1/1024 ms, whole, never going backwards: since 1970 for windows, since any origin for others. Of
 * a time in whole seconds and microseconds that is `seconds * 1024000 + Math.floor((microseconds * 128) / 125)`.
 */
export type Step = (
  state: readonly number[],
  now: number,
  cost: number,
) => readonly [readonly number[], LimitState];

/**
 * A limit's algorithm as a pure function, for stores to be tested against. Its states are:
 *
 * - `fixed-window`: number of the window, units charged in it;
 * - `sliding-window`: number of the window, units charged in it, units charged in the one before;
 * - `sliding-log`: the time of each unit, oldest first; those that have left may still stand there;
 * - `token-bucket`, `leaky-bucket`: the time at which the bucket is empty again, and where that time starts, both in
 *   the algorithm's own unit.
 *
 * @example
 * const step = stepOf(tokenBucket({ limit: 10, per: '1s' }));
 * const [state, { remaining }] = step([], 0, 1);
 */
export function stepOf(limit: Limit): Step {
  const { name, capacity, windowMs } = limit;
  return (state, now, cost) => {
    const column = limit.column({ now, epoch: 0 });
    column.grow(1);
    column.load(0, state);
    const wait = column.wait(0, cost);
    if (wait === 0) column.charge(0, cost);
    const decision: LimitState = {
      policy: name,
      limit: capacity,
      remaining: column.remaining(0),
      retryAfterMs: inMs(wait),
      resetMs: inMs(column.reset(0)),
      windowMs,
    };
    return [column.save(0), decision];
  };
}
