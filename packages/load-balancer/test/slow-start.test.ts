import { ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import {
  createPool,
  type Lease,
  leastConnections,
  random,
  roundRobin,
  weightedRandom,
  weightedRoundRobin,
} from '../src/index.ts';
import { nextRampChange, rampAt } from '../src/internal/slow-start.ts';
import { a, b, c, counted, lease, serve } from './support.ts';

describe('the ramp', () => {
  test('never falls, begins at a tenth and ends at 1, when its time is over and not before', () => {
    for (const duration of [1, 7, 1_000, 30_000]) {
      let before = 0;
      for (let i = 0; i <= 1_000; i += 1) {
        const share = rampAt((i / 1_000) * duration, duration);
        expect(share).toBeGreaterThanOrEqual(before);
        before = share;
      }
      expect(rampAt(0, duration)).toBe(0.1);
      expect(rampAt(0.949 * duration, duration)).toBeLessThan(1);
      expect(rampAt(duration, duration)).toBe(1);
      expect(rampAt(1e9 * duration, duration)).toBe(1);
    }
  });

  test('changes when it says it will', () => {
    for (let elapsed = 0; elapsed < 950; elapsed = nextRampChange(elapsed, 1_000)) {
      const next = nextRampChange(elapsed, 1_000);
      expect(next).toBeGreaterThan(elapsed);
      expect(rampAt(next - 0.001, 1_000)).toBe(rampAt(elapsed, 1_000));
      expect(rampAt(next, 1_000)).toBeGreaterThan(rampAt(elapsed, 1_000));
    }
  });
});

const start = (strategy = roundRobin(), slowStart: `${number}s` = '10s') => {
  const clock = new ManualClock();
  const pool = createPool([a, b], {
    strategy,
    clock,
    random: seededRandom(1),
    slowStart,
    outliers: { consecutiveFailures: 1, ejectFor: '1s' },
  });
  return { clock, pool };
};

describe('slow start', () => {
  test('those that are there from the beginning start at once', () => {
    expect(start().pool.upstreams.map(({ effectiveWeight }) => effectiveWeight)).toEqual([1, 1]);
  });

  test.each([roundRobin, random, weightedRoundRobin, weightedRandom])(
    '%o gives a server that was added its growing share',
    (strategy) => {
      const { clock, pool } = start(strategy());
      pool.add(c);
      const shares = [0, 2_500, 5_000, 7_500, 10_000].map((at, i, all) => {
        clock.advance(at - (all[i - 1] ?? 0));
        return counted(pool, 6_000).get(c)! / 6_000;
      });
      // Beside two of weight 1: by chance it has a third of that, in turn what its weight would give it.
      for (const [i, share] of [0.1, 0.25, 0.5, 0.75, 1].entries()) {
        expect(shares[i]).toBeGreaterThan(share / 3 - 0.02);
        expect(shares[i]).toBeLessThan(share / (2 + share) + 0.02);
      }
    },
  );

  test('least connections counts a tenth of the weight as a tenth', () => {
    const { clock, pool } = start(leastConnections());
    pool.add(c);
    const held: Lease[] = [];
    const fill = () => {
      while (held.length < 210) held.push(lease(pool));
      return pool.upstreams.map(({ inFlight }) => inFlight);
    };
    expect(fill()).toEqual([100, 100, 10]);
    for (const each of held.splice(0)) each.release({ outcome: 'ok' });
    clock.advance('10s');
    expect(fill()).toEqual([70, 70, 70]);
  });

  test('is for those that come back and those that are resumed as well', () => {
    const { clock, pool } = start();
    const weight = () => pool.upstreams[0]!.effectiveWeight;
    serve(pool, 'failure', { exclude: [b] });
    clock.advance('1s');
    serve(pool);
    expect(weight()).toBe(0.1);
    clock.advance('5s');
    serve(pool);
    expect(weight()).toBe(0.5);
    clock.advance('5s');
    serve(pool);
    expect(weight()).toBe(1);
    void pool.drain(a);
    pool.resume(a);
    expect(weight()).toBe(0.1);
  });

  test('a server that is alone gets everything nevertheless', () => {
    const { pool } = start();
    pool.add(c);
    for (let i = 0; i < 50; i += 1) expect(serve(pool, 'ok', { exclude: [a, b] })).toBe(c);
  });

  test('holding a server back asks nobody for admittance in vain', () => {
    const { pool } = start();
    pool.add(c);
    let asked = 0;
    for (let i = 0; i < 300; i += 1) serve(pool, 'ok', { admit: () => ++asked > 0 });
    expect(asked).toBe(300);
  });
});
