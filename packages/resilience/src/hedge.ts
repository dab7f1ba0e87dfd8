import {
  type Clock,
  type Duration,
  InvalidOptionError,
  integer,
  knownOptions,
  systemClock,
} from '@weir/core';
import { RecentLatency } from './internal/recent-latency.ts';
import { Scope } from './internal/scope.ts';
import { timerLength, unrefTimeout } from './internal/timers.ts';
import type { RetryBudget } from './retry-budget.ts';
import { type Call, type CallOptions, runOnce, type Strategy, started, strategy } from './strategy.ts';

export interface HedgeOptions {
  /**
   * How long to wait for an attempt before another is begun beside it: a time, or the 95th percentile of recent calls,
   * of which 20 must have been seen first.
   *
   * @default 'p95'
   */
  readonly after?: Duration | 'p95';
  /** Attempts in all, the first one included. 2 or more. @default 2 */
  readonly attempts?: number;
  /** Shared with retries of the same service. @default none */
  readonly budget?: RetryBudget;
  /** @default systemClock */
  readonly clock?: Clock;
}

/**
 * Begins a second attempt beside one that takes long, and takes the first answer; the signal of the other one aborts.
 * For calls that may be made twice. An attempt that fails leaves the word to those under way; none are begun after it.
 *
 * @throws InvalidOptionError if an option is unknown or out of range; 'p95' needs a strategy that is kept.
 *
 * @example
 * const fast = hedge({ after: '50ms', budget });
 * const page = await fast(({ signal }) => fetch('https://example.org', { signal }));
 */
export function hedge(options?: HedgeOptions): Strategy;
export function hedge<T>(
  call: Call<T>,
  options: HedgeOptions & CallOptions & { after: Duration },
): Promise<T>;
export function hedge<T>(
  first: Call<T> | HedgeOptions = {},
  options: HedgeOptions & CallOptions = {},
): Strategy | Promise<T> {
  if (typeof first !== 'function') return createHedge(first);
  if (options.after === undefined || options.after === 'p95') {
    throw new InvalidOptionError('after', 'a duration for a single call', options.after);
  }
  return runOnce(createHedge, first, options);
}

function createHedge(options: HedgeOptions): Strategy {
  knownOptions(options, ['after', 'attempts', 'budget', 'clock'], 'hedge');
  const { after = 'p95', budget, clock = systemClock } = options;
  const attempts = integer(options.attempts ?? 2, 'attempts', 2);
  const fixed = after === 'p95' ? undefined : timerLength(after, 'after');
  const recent = fixed === undefined ? new RecentLatency() : undefined;

  const race = <T>(call: Call<T>, outer: Scope): Promise<T> =>
    new Promise((resolve, reject) => {
      const { given } = outer;
      const wait = fixed ?? recent!.p95;
      const began = recent === undefined ? 0 : clock.now();
      const running = new Set<Scope>();
      let begun = 0;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let over = false;

      const end = (): void => {
        over = true;
        clearTimeout(timer);
        given?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        end();
        reject(given!.reason);
      };
      const begin = (): void => {
        const scope = new Scope(outer, outer.attempt, budget ?? outer.counted, true);
        begun += 1;
        running.add(scope);
        started(call, scope).then(
          (value) => {
            running.delete(scope);
            if (over) return;
            end();
            // Of the whole call: if a quick second attempt were counted alone, the percentile would sink call by call.
            recent?.add(clock.now() - began);
            resolve(value);
            for (const loser of running) loser.abort(new DOMException('another attempt won', 'AbortError'));
          },
          (error: unknown) => {
            running.delete(scope);
            clearTimeout(timer);
            if (over || running.size > 0) return;
            end();
            reject(error);
          },
        );
        if (begun < attempts && wait !== undefined) timer = unrefTimeout(another, wait);
      };
      const another = (): void => {
        if (budget === undefined || budget.tryRetry()) begin();
      };

      if (budget !== outer.counted) budget?.request();
      given?.addEventListener('abort', onAbort);
      begin();
    });
  return strategy('hedge', race);
}
