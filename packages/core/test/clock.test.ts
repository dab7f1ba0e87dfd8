import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { coarseClock, systemClock } from '../src/index.ts';
import { ManualClock } from '../src/testing.ts';

describe('systemClock', () => {
  test('never goes backwards, and tells the time of day', () => {
    const times = Array.from({ length: 1_000 }, () => systemClock.now());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(Math.abs(systemClock.epoch() - Date.now())).toBeLessThan(1_000);
  });
});

describe('coarseClock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('shows the time of its last tick', () => {
    const clock = new ManualClock(100);
    using coarse = coarseClock({ resolution: 10, clock });
    expect([coarse.now(), coarse.epoch()]).toEqual([clock.now(), clock.epoch()]);
    clock.advance(9);
    expect(coarse.now()).toBe(100);
    clock.advance(1);
    vi.advanceTimersByTime(10);
    expect([coarse.now(), coarse.epoch()]).toEqual([110, clock.epoch()]);
  });

  test('owns no timer before its first reading and none after it is closed', () => {
    const coarse = coarseClock();
    expect(vi.getTimerCount()).toBe(0);
    coarse.epoch();
    expect(vi.getTimerCount()).toBe(1);
    coarse.close();
    coarse.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([0, 1_001, '1h', Number.NaN])('refuses a resolution of %s', (resolution) => {
    expect(() => coarseClock({ resolution: resolution as number })).toThrow(
      expect.objectContaining({ option: 'resolution' }),
    );
  });
});

describe('ManualClock', () => {
  test('moves both clocks, or the wall clock alone', () => {
    const clock = new ManualClock();
    expect(clock.now()).toBe(0);
    const before = clock.epoch();
    clock.advance('1s');
    expect([clock.now(), clock.epoch() - before]).toEqual([1_000, 1_000]);
    clock.setEpoch(5);
    expect([clock.now(), clock.epoch()]).toEqual([1_000, 5]);
    expect(() => clock.advance(-1)).toThrow(expect.objectContaining({ option: 'by' }));
  });
});
