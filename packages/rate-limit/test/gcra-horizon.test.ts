import { ManualClock } from '@weir/core/testing';
import { expect, test } from 'vitest';
import { createLimiter, leakyBucket, tokenBucket } from '../src/index.ts';

/** A prime, so that a tick is as many units as can be: the origin of time moves on every few seconds. */
const limit = 2_147_483_647;

test.each([
  ['token bucket', tokenBucket({ limit, per: '1s', burst: 1_000 })],
  ['leaky bucket', leakyBucket({ limit, per: '1s', capacity: 1_000 })],
])('the first wait on a %s after the origin of time has moved finds it empty', async (_, limits) => {
  const clock = new ManualClock();
  const limiter = createLimiter({ limits, clock });
  clock.advance('1s');
  limiter.check('a', { cost: 1_000 });
  clock.advance('1h');
  expect(await limiter.wait('a', { maxWait: 1 })).toMatchObject({ allowed: true });
});
