import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCache } from '../src/index.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('without a clock of its own, a cache', () => {
  it('goes by that of the system', () => {
    const cache = createCache({ ttl: 100 });
    cache.set('a', 1);
    vi.advanceTimersByTime(99);
    expect(cache.get('a')).toBe(1);
    vi.advanceTimersByTime(1);
    expect(cache.get('a')).toBeUndefined();
  });

  it('reads it at most once a millisecond for hits, and sets no timer while nobody asks', () => {
    const cache = createCache({ ttl: 100 });
    cache.set('a', 1);
    expect(vi.getTimerCount()).toBe(0);
    const read = vi.spyOn(performance, 'now');
    for (let ms = 0; ms < 10; ms += 1) {
      for (let hit = 0; hit < 100; hit += 1) cache.getOrLoad('a', () => 2);
      vi.advanceTimersByTime(1);
    }
    expect(read).toHaveBeenCalledTimes(10);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('serves nothing as fresh that was expired in the same millisecond', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(5.2);
    const cache = createCache({ ttl: 100 });
    cache.set('a', 1);
    expect(cache.getOrLoad('a', () => 2)).toBe(1);
    now.mockReturnValue(5.9);
    cache.expire('a');
    expect(await cache.getOrLoad('a', () => 2)).toBe(2);
  });

  it('reads it each time where a timer may not outlive a request', () => {
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' });
    const cache = createCache({ ttl: 100 });
    cache.set('a', 1);
    const read = vi.spyOn(performance, 'now');
    for (let hit = 0; hit < 100; hit += 1) cache.getOrLoad('a', () => 2);
    expect(read).toHaveBeenCalledTimes(100);
    expect(vi.getTimerCount()).toBe(0);
  });
});
