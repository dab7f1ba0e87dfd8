import { type Awaitable, callable, knownOptions } from '@weir/core';
import type { Scope } from './internal/scope.ts';
import { type Call, type CallOptions, runOnce, type Strategy, started, strategy } from './strategy.ts';

export interface FallbackOptions<T = unknown> {
  /** Makes what is returned in place of the error. If it throws, that is what the call rejects with. */
  readonly use: (error: unknown) => Awaitable<T>;
  /** Which errors it stands in for. What the caller gave up is never replaced. @default all */
  readonly when?: (error: unknown) => boolean;
}

/**
 * Returns something else when a call fails.
 *
 * @throws InvalidOptionError if an option is unknown or missing.
 *
 * @example
 * const prices = await fallback(() => fetchPrices(), { use: () => yesterdaysPrices });
 */
export function fallback(options: FallbackOptions): Strategy;
export function fallback<T>(call: Call<T>, options: FallbackOptions<T> & CallOptions): Promise<T>;
export function fallback<T>(
  first: Call<T> | FallbackOptions,
  options?: FallbackOptions<T> & CallOptions,
): Strategy | Promise<T> {
  if (typeof first !== 'function') return createFallback(first);
  return runOnce(createFallback, first, (options ?? {}) as FallbackOptions & CallOptions);
}

function createFallback(options: FallbackOptions): Strategy {
  knownOptions(options, ['use', 'when'], 'fallback');
  const { use, when = () => true } = options;
  callable(use, 'use');
  callable(when, 'when');
  const run = async <T>(call: Call<T>, scope: Scope): Promise<T> => {
    try {
      return await started(call, scope);
    } catch (error) {
      if (scope.aborted || !when(error)) throw error;
      return (await use(error)) as T;
    }
  };
  return strategy('fallback', run);
}
