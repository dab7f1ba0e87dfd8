import { ManualClock } from '@weir/core/testing';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { retry, retryBudget } from '../src/index.ts';
import { down, inManualTime } from './support.ts';

inManualTime();

describe('a retry budget', () => {
  it.each([11, 20, 100, 1000])(
    'keeps the load below 1.2 times at %i requests a second that all fail',
    (rate) => {
      const clock = new ManualClock();
      const budget = retryBudget({ clock });
      let sent = 0;
      const seconds = 60;
      for (let i = 0; i < rate * seconds; i += 1) {
        clock.advance(1000 / rate);
        budget.request();
        sent += 1;
        for (let attempt = 2; attempt <= 5 && budget.tryRetry(); attempt += 1) sent += 1;
      }
      expect(sent / (rate * seconds)).toBeLessThanOrEqual(1.2);
      expect(sent).toBeGreaterThan(rate * seconds);
    },
  );

  it('always has a minimum for a service that is seldom called', () => {
    const clock = new ManualClock();
    const budget = retryBudget({ minPerSecond: 0.5, window: '10s', clock });
    budget.request();
    expect(Array.from({ length: 8 }, () => budget.tryRetry()).filter(Boolean)).toHaveLength(5);
    clock.advance('10s');
    expect(budget.tryRetry()).toBe(true);
  });

  it('is shared by retries, and ends them when it is used up', async () => {
    const budget = retryBudget({ name: 'prices', ratio: 0.2, minPerSecond: 0 });
    let sent = 0;
    const call = () => {
      sent += 1;
      return Promise.reject(down);
    };
    const careful = retry({ attempts: 4, delay: 1, budget });
    for (let i = 0; i < 500; i += 1) {
      const result = careful(call).catch(() => {});
      await vi.runAllTimersAsync();
      await result;
    }
    expect(sent / 500).toBeLessThanOrEqual(1.2);
    expect(budget.metrics()).toMatchObject([
      { labels: { budget: 'prices', result: 'granted' }, value: sent - 500 },
      { labels: { result: 'refused' } },
    ]);
  });

  it('counts the last window and nothing else', () => {
    const waits = fc.array(fc.tuple(fc.integer({ min: 0, max: 700 }), fc.boolean()), { maxLength: 100 });
    fc.assert(
      fc.property(waits, fc.integer({ min: 0, max: 3000 }), (steps, from) => {
        const clock = new ManualClock(from);
        const budget = retryBudget({ clock, window: 1000, minPerSecond: 1000 });
        const all: { at: number; retried: boolean }[] = [];
        for (const [wait, retried] of steps) {
          clock.advance(wait);
          if (retried) budget.tryRetry();
          else budget.request();
          all.push({ at: clock.now(), retried });
          const live = all.filter(({ at }) => Math.floor(clock.now() / 100) - Math.floor(at / 100) < 10);
          expect(budget.snapshot()).toMatchObject({
            requests: live.filter((one) => !one.retried).length,
            retries: live.filter((one) => one.retried).length,
          });
        }
      }),
    );
  });

  it.each([
    ['ratio', 0],
    ['minPerSecond', -1],
    ['window', 10],
    ['percent', 20],
  ])('refuses %s of %j', (option, value) => {
    expect(() => retryBudget({ [option]: value } as never)).toThrow(expect.objectContaining({ option }));
  });
});
