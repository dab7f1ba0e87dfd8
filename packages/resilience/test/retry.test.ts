import { describe, expect, it, vi } from 'vitest';
import { type CallContext, retry, retryBudget } from '../src/index.ts';
import { down, failing, held, inManualTime } from './support.ts';

inManualTime();

const coded = (code: string, rest: object = {}) => Object.assign(new Error(code), { code, ...rest });

describe('retry', () => {
  it('returns the first success and tells each attempt its number', async () => {
    const attempts: number[] = [];
    const call = ({ attempt }: CallContext) => {
      attempts.push(attempt);
      if (attempt < 3) throw down;
      return 'up';
    };
    const result = retry(call, { attempts: 5, delay: 0 });
    await vi.runAllTimersAsync();
    await expect(result).resolves.toBe('up');
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('rejects with the last error when attempts are used up', async () => {
    let tried = 0;
    const result = retry(() => Promise.reject(new Error(`try ${++tried}`)), { attempts: 3 });
    const ended = expect(result).rejects.toThrow('try 3');
    await vi.runAllTimersAsync();
    await ended;
    expect(tried).toBe(3);
  });

  it.each([
    ['none', [100, 200, 400]],
    ['full', [50, 100, 200]],
    ['decorrelated', [200, 350, 575]],
  ] as const)('waits with jitter %s', async (jitter, expected) => {
    const delays: number[] = [];
    const onRetry = (_error: unknown, _attempt: number, delayMs: number) => void delays.push(delayMs);
    const result = retry(failing, { attempts: 4, jitter, onRetry, random: () => 0.5 }).catch(
      (error) => error,
    );
    await vi.runAllTimersAsync();
    expect(await result).toBe(down);
    expect(delays).toEqual(expected);
  });

  it('waits at least as long as the service asked, and gives up if that is too long', async () => {
    const delays: number[] = [];
    const onRetry = (_error: unknown, _attempt: number, delayMs: number) => void delays.push(delayMs);
    for (const retryAfterMs of [3000, 10_001]) {
      const busy = coded('BUSY', { retryAfterMs });
      const result = retry(() => Promise.reject(busy), { attempts: 2, onRetry }).catch((error) => error);
      await vi.runAllTimersAsync();
      expect(await result).toBe(busy);
    }
    expect(delays).toEqual([3000]);
  });

  it('settles at once when aborted during a wait, and leaves no timer', async () => {
    const controller = new AbortController();
    const reason = new Error('the client left');
    const call = vi.fn(failing);
    const result = retry(call, { delay: 5000, jitter: 'none', signal: controller.signal });
    const ended = expect(result).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(reason);
    await ended;
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('neither asks the budget nor tells of a repetition when an attempt was given up', async () => {
    const controller = new AbortController();
    const onRetry = vi.fn();
    const budget = retryBudget();
    const call = () => {
      controller.abort(down);
      throw new Error('cut');
    };
    await expect(retry(call, { onRetry, budget, signal: controller.signal })).rejects.toBe(down);
    expect(onRetry).not.toHaveBeenCalled();
    expect(budget.snapshot().retries).toBe(0);
  });

  it('leaves no listener on the signal of the caller', async () => {
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    const result = retry(failing, { attempts: 3, delay: 5, signal }).catch(() => {});
    await vi.runAllTimersAsync();
    await result;
    // One for each wait and one for the whole.
    expect(add).toHaveBeenCalledTimes(3);
    expect(remove).toHaveBeenCalledTimes(3);
  });

  it('does not call at all for a signal that has aborted', async () => {
    const call = vi.fn(() => 1);
    await expect(retry(call, { signal: AbortSignal.abort(down) })).rejects.toBe(down);
    expect(call).not.toHaveBeenCalled();
  });

  it.each([
    'ERR_WEIR_BREAKER_OPEN',
    'EOPENBREAKER',
    'ERR_WEIR_BULKHEAD_FULL',
    'ERR_WEIR_THROTTLED',
    'ERR_WEIR_LIMITED',
  ])('never repeats what %s refused', async (code) => {
    const call = vi.fn(() => Promise.reject(coded(code)));
    await expect(retry(call, { retryOn: () => true })).rejects.toMatchObject({ code });
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('repeats only the errors asked for', async () => {
    const call = vi.fn(failing);
    await expect(retry(call, { retryOn: (error) => error !== down })).rejects.toBe(down);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('gives each attempt its time inside, and all of them theirs outside', async () => {
    const { call, calls } = held();
    const result = retry(call, { attempts: 10, delay: 0, timeout: 100, deadline: 350 }).catch(
      (error) => error,
    );
    await vi.advanceTimersByTimeAsync(349);
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true, true, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toMatchObject({ code: 'ERR_WEIR_TIMEOUT', message: 'no answer within 350 ms' });
    expect(calls.every(({ signal }) => signal.aborted)).toBe(true);
  });

  it('does not begin a wait that would outlast the deadline', async () => {
    const result = retry(failing, { delay: 500, jitter: 'none', deadline: 400 }).catch((error) => error);
    await vi.advanceTimersByTimeAsync(0);
    expect(await result).toBe(down);
  });

  it.each([
    ['attempts', 0],
    ['delay', -1],
    ['maxDelay', 1],
    ['jitter', 'some'],
    ['retryOn', 5],
    ['onRetry', 5],
    ['timeout', 0],
    ['deadline', 'soon'],
    ['retries', 3],
  ])('refuses %s of %j', (option, value) => {
    expect(() => retry({ [option]: value } as never)).toThrow(expect.objectContaining({ option }));
  });
});
