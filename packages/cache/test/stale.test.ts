import { ManualClock, seededRandom } from '@weir/core/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CacheOptions, createCache, type LoadContext } from '../src/index.ts';
import { deferred, settled } from './gates.ts';

const setup = (options: Partial<CacheOptions> = {}) => {
  const clock = new ManualClock();
  return { clock, cache: createCache({ ttl: 100, grace: 100, clock, ...options }) };
};
const fails = (): Promise<never> => Promise.reject(new Error('down'));

afterEach(() => void vi.useRealTimers());

describe('a stale value', () => {
  it('is served at once while one load renews it', async () => {
    const { cache, clock } = setup();
    cache.set('a', 'old');
    clock.advance(100);
    const source = deferred<string>();
    const loader = vi.fn(({ stale }: LoadContext) => {
      expect(stale).toBe('old');
      return source.promise;
    });
    for (let i = 0; i < 1000; i += 1) expect(cache.getOrLoad('a', loader)).toBe('old');
    expect(loader).toHaveBeenCalledTimes(1);
    source.resolve('new');
    await settled();
    expect(cache.getOrLoad('a', fails)).toBe('new');
    expect(cache.snapshot()).toMatchObject({ stale: 1000, loadsInFlight: 0 });
  });

  it('is served to the end of its grace and not a millisecond longer', async () => {
    const { cache, clock } = setup();
    cache.set('a', 'old');
    cache.set('b', 'old', { grace: 0 });
    clock.advance(100);
    expect(await cache.getOrLoad('b', () => 'new')).toBe('new');
    clock.advance(99);
    expect(cache.getOrLoad('a', () => new Promise(() => {}))).toBe('old');
    clock.advance(1);
    const waiting = cache.getOrLoad('a', fails);
    expect(waiting).toBeInstanceOf(Promise);
    cache.delete('a');
    expect(await cache.getOrLoad('a', ({ stale }) => stale)).toBeUndefined();
  });

  it('is no value for get and has', () => {
    const { cache, clock } = setup();
    cache.set('a', 'old');
    clock.advance(100);
    expect([cache.get('a'), cache.has('a')]).toEqual([undefined, false]);
  });

  it('is served when its renewal fails, which is tried again by the next caller', async () => {
    const { cache, clock } = setup();
    cache.set('a', 'old');
    clock.advance(100);
    const loader = vi.fn(fails);
    expect(cache.getOrLoad('a', loader)).toBe('old');
    await settled();
    expect(cache.getOrLoad('a', loader)).toBe('old');
    await settled();
    expect(loader).toHaveBeenCalledTimes(2);
  });

  it('keeps a failing source alone for errorTtl', async () => {
    const { cache, clock } = setup({ errorTtl: 10 });
    cache.set('a', 'old');
    clock.advance(100);
    const loader = vi.fn(fails);
    for (let i = 0; i < 10; i += 1) {
      expect(cache.getOrLoad('a', loader)).toBe('old');
      await settled();
      clock.advance(1);
    }
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.getOrLoad('a', loader)).toBe('old');
    expect(loader).toHaveBeenCalledTimes(2);
    await settled();
    cache.expire('a');
    expect(cache.getOrLoad('a', loader)).toBe('old');
    expect(loader).toHaveBeenCalledTimes(3);
    await settled();
  });

  it('comes from expire, which keeps nobody from being served', async () => {
    const { cache } = setup();
    cache.set('a', 'old');
    expect(cache.expire('a')).toBe(true);
    expect(cache.expire('nothing')).toBe(false);
    expect(cache.has('a')).toBe(false);
    expect(cache.getOrLoad('a', async () => 'new')).toBe('old');
    await settled();
    expect(cache.get('a')).toBe('new');
    const strict = setup({ grace: 0 }).cache;
    strict.set('a', 'old');
    strict.expire('a');
    expect(await strict.getOrLoad('a', () => 'new')).toBe('new');
  });

  it('hands the work behind the answer to waitUntil, which never rejects', async () => {
    const { cache, clock } = setup();
    const work: Promise<unknown>[] = [];
    const waitUntil = (promise: Promise<unknown>): void => void work.push(promise);
    await cache.getOrLoad('a', () => 'x', { waitUntil });
    expect(work).toEqual([]);
    clock.advance(100);
    cache.getOrLoad('a', fails, { waitUntil });
    expect(work).toHaveLength(1);
    await expect(work[0]).resolves.toBeUndefined();
    const throws = (): void => {
      throw new Error('too late');
    };
    expect(cache.getOrLoad('a', fails, { waitUntil: throws })).toBe('x');
    expect(cache.snapshot()).toMatchObject({ faults: 1 });
    await settled();
  });

  it('is not served any more when it was invalidated while its renewal is under way', async () => {
    const { cache, clock } = setup();
    cache.set('a', 'old', { tags: ['t'] });
    clock.advance(100);
    const source = deferred<string>();
    cache.getOrLoad('a', () => source.promise);
    cache.invalidateTags('t');
    const later = cache.getOrLoad('a', () => 'new');
    source.resolve('half-old');
    expect(await later).toBe('new');
    expect(cache.get('a')).toBe('new');
  });
});

describe('the soft timeout', () => {
  const soft = () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const made = setup({ softTimeout: 20, hardTimeout: 1000 });
    made.cache.set('a', 'old');
    made.clock.advance(100);
    const pass = async (ms: number): Promise<void> => {
      made.clock.advance(ms);
      vi.advanceTimersByTime(ms);
      await settled();
    };
    return { ...made, pass };
  };

  it('lets a renewal be waited for, and gives the stale value when that takes too long', async () => {
    const { cache, pass } = soft();
    const quick = cache.getOrLoad('a', async () => 'new');
    expect(await quick).toBe('new');
    cache.expire('a');
    const source = deferred<string>();
    const seen: unknown[] = [];
    void Promise.resolve(cache.getOrLoad('a', () => source.promise)).then((value) => seen.push(value));
    await pass(19);
    expect(seen).toEqual([]);
    await pass(1);
    expect(seen).toEqual(['new']);
    expect(cache.getOrLoad('a', fails)).toBe('new');
    source.resolve('newer');
    await settled();
    expect(cache.get('a')).toBe('newer');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('counts from the beginning of the renewal, for whoever comes later', async () => {
    const { cache, pass } = soft();
    const first = cache.getOrLoad('a', () => new Promise(() => {}));
    await pass(15);
    const second = cache.getOrLoad('a', fails);
    await pass(5);
    expect([await first, await second]).toEqual(['old', 'old']);
  });

  it('gives the stale value at once when the renewal fails', async () => {
    const { cache } = soft();
    expect(await cache.getOrLoad('a', fails)).toBe('old');
    await settled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not give what was deleted while it ran', async () => {
    const { cache, pass } = soft();
    const source = deferred<string>();
    const waiting = cache.getOrLoad('a', () => source.promise);
    cache.delete('a');
    await pass(20);
    source.resolve('new');
    expect(await waiting).toBe('new');
    const failing = cache.getOrLoad('b', fails);
    await expect(failing).rejects.toThrow('down');
  });

  it('does not give what is past its grace when the renewal fails', async () => {
    const { cache, clock } = soft();
    clock.advance(90);
    const source = deferred<string>();
    const waiting = cache.getOrLoad('a', () => source.promise) as Promise<string>;
    clock.advance(10);
    source.reject(new Error('down'));
    await expect(waiting).rejects.toThrow('down');
  });

  it('may be shorter than the patience of a caller with a signal, or longer', async () => {
    const { cache, pass } = soft();
    const leaving = new AbortController();
    let context!: LoadContext;
    const hangs = (given: LoadContext): Promise<unknown> => {
      context = given;
      return new Promise(() => {});
    };
    const waiting = cache.getOrLoad('a', hangs, {
      signal: leaving.signal,
    }) as Promise<unknown>;
    const left = waiting.catch((error: unknown) => error);
    leaving.abort(new Error('gone'));
    expect(await left).toMatchObject({ message: 'gone' });
    expect(context.signal.aborted).toBe(true);
    const stays = cache.getOrLoad('a', hangs, {
      signal: new AbortController().signal,
    });
    await pass(20);
    expect(await stays).toBe('old');
    expect(context.signal.aborted).toBe(false);
  });
});

describe('early refresh', () => {
  it('renews by the rule of XFetch, with the load time that was measured', async () => {
    let drawn = 1;
    const { cache, clock } = setup({ ttl: 1000, grace: 0, earlyRefresh: 2, random: () => drawn });
    await cache.getOrLoad('a', () => void clock.advance(10));
    const loader = vi.fn(() => 'new');
    const draws = [
      // now - 10 * 2 * ln(draw) >= 1000 from storedAt
      { at: 970, draw: Math.exp(-1.4), renews: false },
      { at: 970, draw: Math.exp(-1.6), renews: true },
    ];
    for (const { at, draw, renews } of draws) {
      clock.advance(Math.max(0, at - cache.peek('a')!.ageMs));
      drawn = draw;
      expect(cache.getOrLoad('a', loader)).toBeUndefined();
      expect(loader).toHaveBeenCalledTimes(renews ? 1 : 0);
    }
    await settled();
    expect(cache.get('a')).toBe('new');
  });

  it('begins one renewal, whatever is drawn, and none for what was set or loaded in no time', async () => {
    const { cache, clock } = setup({ earlyRefresh: 100, random: () => 1e-9 });
    await cache.getOrLoad('a', () => void clock.advance(1));
    cache.set('b', 'set');
    const loader = vi.fn(() => new Promise(() => {}));
    for (let i = 0; i < 100; i += 1) {
      cache.getOrLoad('a', loader);
      cache.getMany(['b'], () => expect.fail('b is fresh'));
    }
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('rests after a failure for errorTtl', async () => {
    const { cache, clock } = setup({ earlyRefresh: 100, errorTtl: 10, random: () => 1e-9 });
    await cache.getOrLoad('a', () => void clock.advance(1));
    const loader = vi.fn(fails);
    for (let i = 0; i < 5; i += 1) {
      cache.getOrLoad('a', loader);
      await settled();
    }
    expect(loader).toHaveBeenCalledTimes(1);
    clock.advance(10);
    cache.getOrLoad('a', loader);
    expect(loader).toHaveBeenCalledTimes(2);
    await settled();
  });

  it('is rare far from the end and certain at it', async () => {
    const early = async (at: number): Promise<number> => {
      const { cache, clock } = setup({ ttl: 1000, earlyRefresh: 1, random: seededRandom(at) });
      let renewed = 0;
      for (let run = 0; run < 1000; run += 1) {
        await cache.getOrLoad(`${run}`, () => void clock.advance(100));
        clock.advance(at);
        cache.getOrLoad(`${run}`, () => void (renewed += 1));
      }
      return renewed;
    };
    // exp(-(1000 - at) / 100) of a thousand: 0.05, 135, 368.
    expect(await early(10)).toBeLessThan(5);
    const [middle, late] = [await early(800), await early(900)];
    expect(middle).toBeGreaterThan(90);
    expect(middle).toBeLessThan(190);
    expect(late).toBeGreaterThan(300);
    expect(late).toBeLessThan(440);
  });
});
