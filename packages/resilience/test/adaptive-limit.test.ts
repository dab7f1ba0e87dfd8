import type { Leave, Policy } from '@weir/core';
import { ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, it } from 'vitest';
import { adaptiveLimit, gradientLimit } from '../src/index.ts';
import { enter, isLeave, outcome } from './policy-support.ts';

/**
 * A service with so many workers and a first-come queue in front of them, in virtual time: requests arrive at random,
 * each takes a random time of about `mean`.
 */
function simulate(
  policy: Policy | undefined,
  clock: ManualClock,
  {
    rate,
    seconds,
    mean = 10,
    workers = 10,
    seed = 1,
  }: { rate: number; seconds: number; mean?: number; workers?: number; seed?: number },
) {
  const random = seededRandom(seed);
  const exponential = (average: number): number => -Math.log(1 - random()) * average;
  const free = new Array<number>(workers).fill(clock.now());
  const ends: { at: number; began: number; leave: Leave }[] = [];
  const latencies: { at: number; ms: number }[] = [];
  let refused = 0;
  const finishBefore = (time: number): void => {
    for (;;) {
      const next = ends[0];
      if (next === undefined || next.at > time) break;
      ends.shift();
      clock.advance(Math.max(0, next.at - clock.now()));
      const ms = next.at - next.began;
      latencies.push({ at: next.at, ms });
      next.leave(outcome(ms));
    }
  };
  const start = clock.now();
  for (let at = start; at < start + seconds * 1000; at += exponential(1000 / rate)) {
    finishBefore(at);
    clock.advance(Math.max(0, at - clock.now()));
    const entered = policy === undefined ? () => {} : enter(policy);
    if (!isLeave(entered)) {
      refused += 1;
      continue;
    }
    const worker = free.indexOf(Math.min(...free));
    const end = Math.max(at, free[worker]!) + mean / 2 + exponential(mean / 2);
    free[worker] = end;
    const index = ends.findLastIndex((each) => each.at <= end) + 1;
    ends.splice(index, 0, { at: end, began: at, leave: entered });
  }
  finishBefore(Infinity);
  const late = latencies.filter(({ at }) => at > start + 2000).map(({ ms }) => ms);
  const sorted = late.toSorted((a, b) => a - b);
  return { p99: sorted[Math.floor(sorted.length * 0.99)]!, served: sorted.length / (seconds - 2), refused };
}

describe('adaptiveLimit', () => {
  const capacity = 1000;

  it.each(['gradient', 'aimd'] as const)(
    'keeps p99 within twice that of no load at three times the capacity, with %s',
    (algorithm) => {
      const unloaded = simulate(undefined, new ManualClock(), { rate: capacity / 10, seconds: 20 });
      const none = simulate(undefined, new ManualClock(), { rate: capacity * 3, seconds: 5 });
      expect(none.p99).toBeGreaterThan(unloaded.p99 * 50);
      const clock = new ManualClock();
      const policy = adaptiveLimit({ algorithm, clock, ...(algorithm === 'aimd' ? { target: 15 } : {}) });
      const loaded = simulate(policy, clock, { rate: capacity * 3, seconds: 60 });
      expect(loaded.p99).toBeLessThanOrEqual(unloaded.p99 * 2);
      expect(loaded.served).toBeGreaterThan(capacity * 0.7);
    },
  );

  it('follows a service that becomes slower, and one that recovers', () => {
    const clock = new ManualClock();
    const policy = adaptiveLimit({ clock, probeEvery: '10s' });
    simulate(policy, clock, { rate: 3000, seconds: 20, workers: 30 });
    const wide = policy.limit;
    simulate(policy, clock, { rate: 3000, seconds: 20, workers: 5 });
    const narrow = policy.limit;
    simulate(policy, clock, { rate: 3000, seconds: 40, workers: 30 });
    expect(narrow).toBeLessThan(wide / 2);
    expect(policy.limit).toBeGreaterThan(narrow * 2);
  });

  it('learns that a service takes longer for good, without load too', () => {
    const clock = new ManualClock();
    const policy = adaptiveLimit({ clock, probeEvery: '5s' });
    simulate(policy, clock, { rate: 3000, seconds: 10, workers: 30 });
    const slow = simulate(policy, clock, { rate: 1500, seconds: 40, workers: 30, mean: 40 });
    // 30 workers serve 750 a second at most; a limit that took 10 ms for unloaded would admit 100.
    expect(slow.served).toBeGreaterThan(500);
  });

  it('does not grow a limit that nobody comes near', () => {
    const clock = new ManualClock();
    const policy = adaptiveLimit({ clock, initial: 20 });
    simulate(policy, clock, { rate: 50, seconds: 30 });
    expect(policy.limit).toBeLessThanOrEqual(20);
  });

  it('stays within its bounds and gives every place back', () => {
    const clock = new ManualClock();
    const policy = adaptiveLimit({ clock, min: 5, initial: 5, max: 8, algorithm: 'aimd', target: 1 });
    expect(simulate(policy, clock, { rate: 3000, seconds: 5 }).refused).toBeGreaterThan(0);
    expect(policy.limit).toBe(5);
    expect(policy.snapshot()).toMatchObject({ inFlight: 0, limit: 5 });
  });

  it('learns nothing from requests that were refused inside or given up', () => {
    const clock = new ManualClock();
    const policy = adaptiveLimit({ clock, algorithm: 'aimd', target: 10 });
    for (let i = 0; i < 100; i += 1) {
      const leave = enter(policy) as Leave;
      clock.advance(20);
      leave(outcome(5000, i % 2 === 0 ? 'aborted' : 'rejected'));
    }
    expect(policy.limit).toBe(20);
  });

  it('shrinks by a ratio of at most a half, and leaves room for a queue', () => {
    expect(gradientLimit(100, 10, 10, 0.25)).toBe(110);
    expect(gradientLimit(100, 10, 1000, 0.25)).toBe(60);
    expect(gradientLimit(100, 10, 25, 0.25)).toBe(60);
  });

  it.each([
    ['target', { algorithm: 'aimd' }],
    ['target', { target: 5 }],
    ['initial', { initial: 2 }],
    ['max', { min: 5, max: 4 }],
    ['tolerance', { tolerance: 0 }],
    ['probeEvery', { probeEvery: 10 }],
    ['algorithm', { algorithm: 'vegas' }],
    ['limit', { limit: 5 }],
  ])('refuses %s in %j', (option, options) => {
    expect(() => adaptiveLimit(options as never)).toThrow(expect.objectContaining({ option }));
  });
});
