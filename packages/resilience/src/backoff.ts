import type { Random } from '@weir/core';

/**
 * The longest wait before the nth repetition: `base`, then twice as long each time, up to `max`.
 *
 * @param repetition 1 for the first one
 */
export const exponentialDelay = (repetition: number, base: number, max: number): number =>
  // Beyond 2 ** 1023 a base of 0 would make not a number.
  Math.min(max, base * 2 ** Math.min(repetition - 1, 1023));

/**
 * A wait between `base` and three times the last wait, up to `max`: "decorrelated jitter" (M. Brooker, Exponential
 * Backoff And Jitter, AWS 2015).
 */
export const decorrelatedDelay = (last: number, base: number, max: number, random: Random): number =>
  Math.min(max, base + random() * (Math.max(base, last * 3) - base));
