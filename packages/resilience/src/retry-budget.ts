import {
  type Clock,
  type Component,
  type Duration,
  duration,
  fraction,
  InvalidOptionError,
  type Json,
  knownOptions,
  type Sample,
  systemClock,
} from '@weir/core';
import { readName } from './internal/name.ts';
import { RollingCounts } from './internal/rolling-counts.ts';

export interface RetryBudgetOptions {
  /** Shown in metrics. @default 'retry-budget-<n>' */
  readonly name?: string;
  /** Repetitions allowed as a share of first attempts. Above 0, at most 1. @default 0.1 */
  readonly ratio?: number;
  /** Repetitions allowed each second however few the first attempts are. 0 or more. @default 1 */
  readonly minPerSecond?: number;
  /** The time that both are counted over. 1 s or more. @default '10s' */
  readonly window?: Duration;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Bounds repetitions and hedges. Share one among all calls to a service: that is what bounds the load on it. */
export interface RetryBudget extends Component {
  readonly kind: 'retry-budget';
  /** Notes a first attempt. */
  request(): void;
  /** Spends a repetition, if there is one. */
  tryRetry(): boolean;
}

/**
 * Makes a retry budget: over the window, repetitions stay below the larger of `ratio` times the first attempts and
 * `minPerSecond`. O(1); a clock read a call. After Finagle's RetryBudget, but with the larger instead of the sum, so that
 * the minimum adds nothing under load.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  knownOptions(options, ['name', 'ratio', 'minPerSecond', 'window', 'clock'], 'retryBudget');
  const { minPerSecond = 1, clock = systemClock } = options;
  const ratio = fraction(options.ratio ?? 0.1, 'ratio');
  if (!(minPerSecond >= 0 && minPerSecond < Infinity)) {
    throw new InvalidOptionError('minPerSecond', 'a number >= 0', minPerSecond);
  }
  const window = duration(options.window ?? 10_000, 'window', { min: 1000 });
  const minimum = (minPerSecond * window) / 1000;
  const name = readName('retry-budget', options);
  const counts = new RollingCounts(window);
  let granted = 0;
  let refused = 0;
  const total = (result: string, value: number): Sample => ({
    name: 'weir_resilience_retries_total',
    help: 'Repetitions asked of the budget.',
    type: 'counter',
    labels: { budget: name, result },
    value,
  });
  return {
    kind: 'retry-budget',
    name,
    request() {
      counts.advance(clock.now());
      counts.addFirst();
    },
    tryRetry() {
      counts.advance(clock.now());
      const allowed = counts.second + 1 <= Math.max(counts.first * ratio, minimum);
      if (allowed) {
        counts.addSecond();
        granted += 1;
      } else refused += 1;
      return allowed;
    },
    snapshot(): { readonly [name: string]: Json } {
      counts.advance(clock.now());
      return { requests: counts.first, retries: counts.second, granted, refused };
    },
    metrics: () => [total('granted', granted), total('refused', refused)],
  };
}
