import { seededRandom } from '@weir/core/testing';
import { describe, expect, it, vi } from 'vitest';
import { type CallContext, compose, hedge, retry, retryBudget } from '../src/index.ts';
import { down, failing, held, inManualTime } from './support.ts';

inManualTime();

describe('hedge', () => {
  it('begins another attempt after the wait, takes the first answer and aborts the other', async () => {
    const { call, calls } = held();
    const result = hedge(call, { after: 50 });
    await vi.advanceTimersByTimeAsync(49);
    expect(calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls).toHaveLength(2);
    calls[1]!.resolve('second');
    await expect(result).resolves.toBe('second');
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    calls[0]!.reject(down);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('makes no second attempt of a call that answers or fails in time', async () => {
    const call = vi.fn(failing);
    await expect(hedge(call, { after: 50 })).rejects.toBe(down);
    await vi.advanceTimersByTimeAsync(1000);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('waits for the attempt still under way when the other fails', async () => {
    const { call, calls } = held();
    const result = hedge(call, { after: 50 });
    await vi.advanceTimersByTimeAsync(50);
    calls[0]!.reject(down);
    await vi.advanceTimersByTimeAsync(0);
    calls[1]!.resolve('second');
    await expect(result).resolves.toBe('second');
  });

  it('hedges after the 95th percentile of recent calls, once it has seen enough', async () => {
    const kept = hedge();
    for (let ms = 1; ms <= 20; ms += 1) {
      const result = kept(() => new Promise((resolve) => setTimeout(resolve, ms)));
      await vi.advanceTimersByTimeAsync(ms);
      await result;
    }
    const { call, calls } = held();
    const result = kept(call);
    await vi.advanceTimersByTimeAsync(18);
    expect(calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls).toHaveLength(2);
    calls[0]!.resolve('first');
    await result;
  });

  it('stays within the budget', async () => {
    const budget = retryBudget({ ratio: 0.1, minPerSecond: 0 });
    const kept = hedge({ after: 10, budget });
    let begun = 0;
    const slow = ({ signal }: CallContext) => {
      begun += 1;
      return new Promise((resolve, reject) => {
        setTimeout(resolve, 20);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    };
    for (let i = 0; i < 100; i += 1) {
      const result = kept(slow);
      await vi.advanceTimersByTimeAsync(30);
      await result;
    }
    expect(begun).toBeGreaterThan(100);
    expect(begun).toBeLessThanOrEqual(110);
  });

  it('counts a call once in a budget that it shares with retries', async () => {
    const budget = retryBudget({ minPerSecond: 0 });
    const careful = compose(retry({ attempts: 3, delay: 0, budget }), hedge({ after: 10, budget }));
    for (let i = 1; i <= 25; i += 1) {
      const result = careful(failing).catch(() => {});
      await vi.runAllTimersAsync();
      await result;
      expect(budget.snapshot().requests).toBe(i);
    }
    expect(budget.snapshot().retries).toBe(2);
    const separate = retryBudget();
    await compose(retry({ budget }), hedge({ after: 10, budget: separate }))(() => 'up');
    expect(separate.snapshot().requests).toBe(1);
  });

  it('hedges about one call in twenty for good, though second attempts are quick', async () => {
    const kept = hedge();
    const random = seededRandom(11);
    let begun = 0;
    const call = ({ signal }: CallContext) => {
      begun += 1;
      // One in twenty hangs; the others take 10 to 20 ms.
      const ms = random() < 0.05 ? 1000 : 10 + random() * 10;
      return new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason);
        });
      });
    };
    const calls = 2000;
    for (let i = 0; i < calls; i += 1) {
      const result = kept(call);
      await vi.runAllTimersAsync();
      await result;
    }
    expect(begun / calls - 1).toBeGreaterThan(0.03);
    expect(begun / calls - 1).toBeLessThan(0.09);
  });

  it('rejects at once when the caller gives up, and aborts both attempts', async () => {
    const { call, calls } = held();
    const controller = new AbortController();
    const result = hedge(call, { after: 50, signal: controller.signal }).catch((error) => error);
    await vi.advanceTimersByTimeAsync(60);
    controller.abort(down);
    expect(await result).toBe(down);
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  it('refuses options, and p95 for a single call', () => {
    expect(() => hedge({ attempts: 1 })).toThrow(expect.objectContaining({ option: 'attempts' }));
    expect(() => hedge({ after: 0 })).toThrow(expect.objectContaining({ option: 'after' }));
    expect(() => hedge(() => 1, {} as never)).toThrow(expect.objectContaining({ option: 'after' }));
  });
});
