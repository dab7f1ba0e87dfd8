import { describe, expect, it, vi } from 'vitest';
import { compose, fallback, timeout } from '../src/index.ts';
import { down, failing, held, inManualTime } from './support.ts';

inManualTime();

describe('fallback', () => {
  it('stands in for the errors asked for', async () => {
    await expect(fallback(failing, { use: () => 'stale' })).resolves.toBe('stale');
    await expect(fallback(() => 'fresh', { use: () => 'stale' })).resolves.toBe('fresh');
    await expect(fallback(failing, { use: () => 'stale', when: () => false })).rejects.toBe(down);
    const worse = new Error('worse');
    await expect(fallback(failing, { use: () => Promise.reject(worse) })).rejects.toBe(worse);
  });

  it('does not stand in for what the caller gave up', async () => {
    const controller = new AbortController();
    const use = vi.fn(() => 'stale');
    const careful = compose(fallback({ use }), timeout(1000));
    const result = careful(held().call, { signal: controller.signal }).catch((error) => error);
    controller.abort(down);
    expect(await result).toBe(down);
    expect(use).not.toHaveBeenCalled();
  });

  it('refuses to be without something to use', () => {
    expect(() => fallback({} as never)).toThrow(expect.objectContaining({ option: 'use' }));
    expect(() => fallback(failing, undefined as never)).toThrow(expect.objectContaining({ option: 'use' }));
  });
});
