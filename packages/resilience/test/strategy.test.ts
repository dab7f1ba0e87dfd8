import { createBreaker } from '@weir/circuit-breaker';
import { describe, expect, it, vi } from 'vitest';
import {
  adaptiveThrottle,
  bulkhead,
  compose,
  fallback,
  hedge,
  retry,
  type Strategy,
  timeout,
} from '../src/index.ts';
import { down, failing, inManualTime } from './support.ts';

inManualTime();

const kinds: { readonly [name: string]: () => Strategy } = {
  retry: () => retry(),
  'retry in time': () => retry({ timeout: 1000, deadline: 5000 }),
  timeout: () => timeout(1000),
  bulkhead: () => bulkhead({ concurrency: 1 }),
  hedge: () => hedge({ after: 100 }),
  fallback: () => fallback({ use: () => 'stale' }),
  throttle: () => adaptiveThrottle(),
  composed: () =>
    compose(fallback({ use: () => 'stale' }), retry(), createBreaker(), bulkhead({ concurrency: 1 })),
};

describe.each(Object.entries(kinds))('%s', (name, make) => {
  it('passes on what the call returns, at once or later', async () => {
    await expect(make()(() => 7)).resolves.toBe(7);
    await expect(make()(async () => undefined)).resolves.toBeUndefined();
  });

  it('takes a throw for a rejection', async () => {
    const throws = (): never => {
      throw down;
    };
    const result = make()(throws).catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    expect(await result).toBe(/fallback|composed/.test(name) ? 'stale' : down);
  });

  it('rejects with the reason of the caller at once, though the call does not heed its signal', async () => {
    const controller = new AbortController();
    const result = make()(() => new Promise(() => {}), { signal: controller.signal });
    const ended = expect(result).rejects.toBe(down);
    await vi.advanceTimersByTimeAsync(1);
    controller.abort(down);
    await ended;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('makes no call for a signal that has aborted, and leaves no listener on one that has not', async () => {
    const call = vi.fn(failing);
    await expect(make()(call, { signal: AbortSignal.abort(down) })).rejects.toBe(down);
    expect(call).not.toHaveBeenCalled();
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    const result = make()(call, { signal }).catch(() => {});
    await vi.runAllTimersAsync();
    await result;
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
  });
});
