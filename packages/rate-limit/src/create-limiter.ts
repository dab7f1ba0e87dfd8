import { InvalidOptionError } from '@weir/core';
import { MemoryLimiter } from './internal/memory-limiter.ts';
import { memoryOptionNames, readSettings } from './internal/settings.ts';
import type { AsyncLimiter, Limiter, LimiterOptions, StoreLimiterOptions } from './limiter.ts';

/**
 * Makes a limiter: one that decides at once, in this process, or with `store` one that shares its counts and answers
 * with promises. It owns no timer, but while calls of `wait` are pending.
 *
 * @throws InvalidOptionError if an option is unknown, missing or out of range.
 *
 * @example
 * const limiter = createLimiter({ limits: [tokenBucket({ limit: 10, per: '1s' }), fixedWindow({ limit: 1000, per: '1h' })] });
 * const { allowed, retryAfterMs } = limiter.check(userId);
 */
export function createLimiter(options: StoreLimiterOptions): AsyncLimiter;
export function createLimiter(options: LimiterOptions): Limiter;
export function createLimiter(options: LimiterOptions | StoreLimiterOptions): Limiter | AsyncLimiter {
  const store = (options as StoreLimiterOptions | undefined)?.store;
  if (store === undefined) return new MemoryLimiter(readSettings(options, memoryOptionNames));
  if (typeof store?.limiter === 'function') return store.limiter(options as StoreLimiterOptions);
  throw new InvalidOptionError('store', 'a Store', store);
}
