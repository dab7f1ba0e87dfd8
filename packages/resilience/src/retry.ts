import {
  type Clock,
  callable,
  type Duration,
  integer,
  knownOptions,
  random as mathRandom,
  oneOf,
  type Random,
  systemClock,
} from '@weir/core';
import { decorrelatedDelay, exponentialDelay } from './backoff.ts';
import { isRefusal, retryAfterOf } from './internal/refusal.ts';
import { Scope } from './internal/scope.ts';
import { pause, timerLength } from './internal/timers.ts';
import type { RetryBudget } from './retry-budget.ts';
import { type Call, type CallOptions, runOnce, type Strategy, started, strategy } from './strategy.ts';
import { within } from './timeout.ts';

export interface RetryOptions {
  /** Attempts in all, the first one included. 1 or more. @default 3 */
  readonly attempts?: number;
  /** The wait before the first repetition; later ones may be longer. 0 or more. @default 100 */
  readonly delay?: Duration;
  /** The longest wait. At least `delay`. If the service asks for a longer one, the call is given up. @default '10s' */
  readonly maxDelay?: Duration;
  /**
   * How waits are spread: 'full' from 0 to twice as long each time, 'decorrelated' from `delay` to three times the last
   * wait, 'none' exactly twice as long each time.
   *
   * @default 'full'
   */
  readonly jitter?: 'full' | 'decorrelated' | 'none';
  /** Which errors are worth another attempt. Refusals (an open breaker, a full bulkhead) never are. @default all */
  readonly retryOn?: (error: unknown, attempt: number) => boolean;
  /** Told before each wait. For logs, and for letting go of what the failed attempt holds. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void;
  /** Shared with other calls to the same service. @default none */
  readonly budget?: RetryBudget;
  /** How long each attempt may take. @default no limit */
  readonly timeout?: Duration;
  /** How long all attempts and waits may take together. A wait that would end later is not begun. @default no limit */
  readonly deadline?: Duration;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
}

const retryOptionNames: readonly string[] = [
  'attempts',
  'delay',
  'maxDelay',
  'jitter',
  'retryOn',
  'onRetry',
  'budget',
  'timeout',
  'deadline',
  'clock',
  'random',
];

/**
 * Repeats a call that fails, after a wait that grows and is spread. An error's `retryAfterMs` is the least wait. An
 * abort ends it at once, also during a wait. When attempts, budget or time are used up, rejects with the last error.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const page = await retry(({ signal }) => fetch('https://example.org', { signal }), { attempts: 4, timeout: '2s' });
 */
export function retry(options?: RetryOptions): Strategy;
export function retry<T>(call: Call<T>, options?: RetryOptions & CallOptions): Promise<T>;
export function retry<T>(
  first: Call<T> | RetryOptions = {},
  options: RetryOptions & CallOptions = {},
): Strategy | Promise<T> {
  return typeof first === 'function' ? runOnce(createRetry, first, options) : createRetry(first);
}

function createRetry(options: RetryOptions): Strategy {
  knownOptions(options, retryOptionNames, 'retry');
  const { jitter = 'full', retryOn = () => true, onRetry, budget } = options;
  const { clock = systemClock, random = mathRandom } = options;
  const attempts = integer(options.attempts ?? 3, 'attempts', 1);
  const base = timerLength(options.delay ?? 100, 'delay', 0);
  const max = timerLength(options.maxDelay ?? Math.max(10_000, base), 'maxDelay', base);
  oneOf(jitter, 'jitter', ['full', 'decorrelated', 'none'] as const);
  callable(retryOn, 'retryOn');
  if (onRetry !== undefined) callable(onRetry, 'onRetry');
  const limit = (value: Duration | undefined, name: string): number =>
    value === undefined ? 0 : timerLength(value, name);
  const perAttempt = limit(options.timeout, 'timeout');
  const inAll = limit(options.deadline, 'deadline');

  const nextDelay = (repetition: number, last: number): number => {
    if (jitter === 'decorrelated') return decorrelatedDelay(last, base, max, random);
    const longest = exponentialDelay(repetition, base, max);
    return jitter === 'full' ? longest * random() : longest;
  };

  /** How long to wait after this error; undefined if it is the last word. */
  const waitAfter = (error: unknown, tried: number, last: number, leftMs: number): number | undefined => {
    if (tried >= attempts || isRefusal(error) || !retryOn(error, tried)) return undefined;
    const asked = retryAfterOf(error);
    const wait = Math.max(nextDelay(tried, last), asked);
    if (asked > max || wait >= leftMs) return undefined;
    return budget === undefined || budget.tryRetry() ? wait : undefined;
  };

  const repeat = async <T>(call: Call<T>, outer: Scope): Promise<T> => {
    const until = inAll === 0 ? Infinity : clock.now() + inAll;
    if (budget !== outer.counted) budget?.request();
    let wait = base;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const one = new Scope(outer, attempt, budget ?? outer.counted);
        return await (perAttempt === 0 ? started(call, one) : within(perAttempt, call, one));
      } catch (error) {
        if (outer.aborted) throw error;
        const left = until === Infinity ? Infinity : until - clock.now();
        const next = waitAfter(error, attempt, wait, left);
        if (next === undefined) throw error;
        wait = next;
        onRetry?.(error, attempt, wait);
        await pause(wait, outer.given);
      }
    }
  };
  if (inAll === 0) return strategy('retry', repeat);
  return strategy('retry', (call, outer) => within(inAll, (inner) => repeat(call, Scope.of(inner)), outer));
}
