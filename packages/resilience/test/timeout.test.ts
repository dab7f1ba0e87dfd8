import { describe, expect, it, vi } from 'vitest';
import { timeout } from '../src/index.ts';
import { down, held, inManualTime } from './support.ts';

inManualTime();

describe('timeout', () => {
  it('rejects at once, aborts the call, and lets go of its timer in time', async () => {
    const { call, calls } = held();
    const result = timeout(call, '1s').catch((error) => error);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await result).toMatchObject({ code: 'ERR_WEIR_TIMEOUT' });
    expect(calls[0]!.signal.reason).toMatchObject({ code: 'ERR_WEIR_TIMEOUT' });
    calls[0]!.reject(new Error('too late'));
    await expect(timeout(() => 5, { after: 1000 })).resolves.toBe(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('passes on what is thrown at once, and the abort of the caller', async () => {
    const throws = () => {
      throw down;
    };
    await expect(timeout(throws, 10)).rejects.toBe(down);
    const controller = new AbortController();
    const result = timeout(held().call, { after: 1000, signal: controller.signal }).catch((error) => error);
    controller.abort(down);
    expect(await result).toBe(down);
  });

  it.each([0, -1, 'soon', '30d', undefined])('refuses %j', (after) => {
    expect(() => timeout({ after } as never)).toThrow(expect.objectContaining({ option: 'after' }));
  });
});
