import {
  type Clock,
  type Component,
  callable,
  type Duration,
  duration,
  InvalidOptionError,
  integer,
  type Json,
  knownOptions,
  random as mathRandom,
  type Random,
  type Sample,
  systemClock,
} from '@weir/core';
import { ThrottledError } from './errors.ts';
import { readName } from './internal/name.ts';
import { isRefusal } from './internal/refusal.ts';
import { RollingCounts } from './internal/rolling-counts.ts';
import type { Scope } from './internal/scope.ts';
import { asComponent, type Call, type Strategy, started, strategy } from './strategy.ts';

export interface AdaptiveThrottleOptions {
  /** Shown in metrics and errors. @default 'throttle-<n>' */
  readonly name?: string;
  /** Calls let through for each one accepted. Above 1; nearer to 1 holds back sooner. @default 2 */
  readonly multiplier?: number;
  /** Calls within the window that are let through whatever became of the others. 0 or more. @default 10 */
  readonly allowance?: number;
  /** The time that calls are counted over. 1 s or more. @default '2m' */
  readonly window?: Duration;
  /**
   * Which errors mean that the service refused the call. What the caller gave up, and what a bulkhead further in
   * refused, say nothing and are never asked about.
   *
   * @default all
   */
  readonly refused?: (error: unknown) => boolean;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
}

const names = ['name', 'multiplier', 'allowance', 'window', 'refused', 'clock', 'random'];

export interface AdaptiveThrottle extends Strategy, Omit<Component, 'kind'> {
  readonly kind: 'throttle';
  readonly name: string;
}

/**
 * Holds calls back at the client while the service refuses them: each with a chance of
 * (requests - allowance - multiplier x accepts) / (requests + 1), so that some always get through to see it recover. A
 * call counts when it has ended: one under way has not been refused. O(1).
 *
 * Source: Site Reliability Engineering, chapter 21, "Client-Side Throttling" (O'Reilly 2016), where there is no allowance
 * and the first failure already holds back half of the calls.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const throttle = adaptiveThrottle();
 * const page = await throttle(({ signal }) => fetch('https://example.org', { signal }));
 */
export function adaptiveThrottle(options: AdaptiveThrottleOptions = {}): AdaptiveThrottle {
  knownOptions(options, names, 'adaptiveThrottle');
  const { multiplier = 2, refused = () => true, clock = systemClock, random = mathRandom } = options;
  const allowance = integer(options.allowance ?? 10, 'allowance', 0);
  if (!(multiplier > 1 && multiplier < Infinity)) {
    throw new InvalidOptionError('multiplier', 'a number > 1', multiplier);
  }
  callable(refused, 'refused');
  const name = readName('throttle', options);
  const counts = new RollingCounts(duration(options.window ?? 120_000, 'window', { min: 1000 }));
  let held = 0;

  const count = (accepted: boolean): void => {
    counts.advance(clock.now());
    counts.addFirst();
    if (accepted) counts.addSecond();
  };
  const run = async <T>(call: Call<T>, scope: Scope): Promise<T> => {
    counts.advance(clock.now());
    const excess = counts.first - allowance - multiplier * counts.second;
    if (excess > 0 && random() < excess / (counts.first + 1)) {
      count(false);
      held += 1;
      throw new ThrottledError(name);
    }
    try {
      const value = await started(call, scope);
      count(true);
      return value;
    } catch (error) {
      if (!scope.aborted && !isRefusal(error)) count(!refused(error));
      throw error;
    }
  };
  return asComponent(strategy('throttle', run), name, {
    snapshot: (): { readonly [name: string]: Json } => {
      counts.advance(clock.now());
      return { requests: counts.first, accepts: counts.second, held };
    },
    metrics: (): readonly Sample[] => [
      {
        name: 'weir_resilience_throttled_total',
        help: 'Calls held back.',
        type: 'counter',
        labels: { throttle: name },
        value: held,
      },
    ],
  }) as AdaptiveThrottle;
}
