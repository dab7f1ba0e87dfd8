import { seededRandom } from '@weir/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decorrelatedDelay, exponentialDelay } from '../src/index.ts';

describe('backoff', () => {
  it('doubles from the base up to the longest, however often', () => {
    expect([1, 2, 3, 4, 5, 5000].map((n) => exponentialDelay(n, 100, 1000))).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ]);
    expect(exponentialDelay(3000, 0, 1000)).toBe(0);
  });

  it('stays within its bounds with decorrelated jitter', () => {
    const ms = fc.integer({ min: 0, max: 10_000 });
    fc.assert(
      fc.property(ms, ms, ms, fc.integer(), (last, base, more, seed) => {
        const delay = decorrelatedDelay(last, base, base + more, seededRandom(seed));
        expect(delay).toBeGreaterThanOrEqual(base);
        expect(delay).toBeLessThanOrEqual(Math.min(base + more, Math.max(base, last * 3)));
      }),
    );
  });
});
