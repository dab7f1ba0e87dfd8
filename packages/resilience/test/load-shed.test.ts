import type { Reply } from '@weir/core';
import { fakeExchange, ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, it, vi } from 'vitest';
import { loadShed, type Priority } from '../src/index.ts';
import { enter, isLeave, outcome } from './policy-support.ts';
import { inManualTime } from './support.ts';

inManualTime();

describe('loadShed', () => {
  const shares = (delay: number): { [priority in Priority]: number } => {
    const policy = loadShed({
      gauge: () => delay,
      maxDelay: 100,
      priority: (x) => x.path.slice(1) as Priority,
      random: seededRandom(5),
    });
    const share = (priority: Priority): number => {
      const entered = Array.from({ length: 500 }, () => enter(policy, fakeExchange({ url: `/${priority}` })));
      return entered.filter(isLeave).length / 500;
    };
    return { high: share('high'), normal: share('normal'), low: share('low') };
  };

  it('passes all below half load', () => {
    expect(shares(50)).toEqual({ high: 1, normal: 1, low: 1 });
  });

  it('sheds the least important first, and a growing share', () => {
    expect(shares(65).low).toBeCloseTo(0.5, 1);
    expect(shares(80)).toEqual({ high: 1, normal: 1, low: 0 });
    expect(shares(100).normal).toBeCloseTo(0.5, 1);
    expect(shares(120)).toEqual({ high: 1, normal: 0, low: 0 });
    expect(shares(160).high).toBeCloseTo(0.5, 1);
    expect(shares(200)).toEqual({ high: 0, normal: 0, low: 0 });
  });

  it('counts the requests under way', () => {
    const policy = loadShed({ maxInFlight: 10, gauge: () => 0, random: () => 0 });
    const leaves = Array.from({ length: 100 }, () => enter(policy)).filter(isLeave);
    expect(leaves).toHaveLength(8);
    for (const leave of leaves) leave(outcome());
    expect(isLeave(enter(policy))).toBe(true);
    expect(policy.snapshot()).toMatchObject({ inFlight: 1, shed: { high: 0, normal: 92, low: 0 } });
  });

  it('answers 503 with Retry-After', () => {
    const policy = loadShed({ gauge: () => 1000 });
    expect(enter(policy)).toMatchObject({ status: 503 });
    expect((enter(policy) as Reply).headers).toContain('retry-after');
  });

  it('sees an event loop that is late, by its own timer, which it stops', async () => {
    const clock = new ManualClock();
    const policy = loadShed({ maxDelay: 100, clock, random: () => 0 });
    const passes = (): boolean => isLeave(enter(policy));
    expect(passes()).toBe(true);
    for (let i = 0; i < 5; i += 1) {
      clock.advance(50);
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(passes()).toBe(true);
    clock.advance(200);
    expect(passes()).toBe(false);
    await vi.advanceTimersByTimeAsync(50);
    for (let i = 0; i < 50; i += 1) {
      clock.advance(50);
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(passes()).toBe(true);
    // The machine stood still for a day: that is soon forgotten.
    clock.advance('1d');
    await vi.advanceTimersByTimeAsync(50);
    expect(passes()).toBe(false);
    for (let i = 0; i < 5; i += 1) {
      clock.advance(50);
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(passes()).toBe(true);
    expect(vi.getTimerCount()).toBe(1);
    policy.close();
    policy[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['maxDelay', { maxDelay: 0 }],
    ['maxInFlight', { maxInFlight: 0 }],
    ['priority', { priority: 'high' }],
    ['gauge', { gauge: 5 }],
    ['delay', { delay: 5 }],
  ])('refuses %s in %j', (option, options) => {
    expect(() => loadShed(options as never)).toThrow(expect.objectContaining({ option }));
  });
});
