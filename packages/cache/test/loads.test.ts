import { ManualClock } from '@weir/core/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  BatchLoadError,
  type CacheOptions,
  createCache,
  type LoadContext,
  LoadTimeoutError,
} from '../src/index.ts';
import { deferred, Gates, settled } from './gates.ts';

const setup = (options: Partial<CacheOptions> = {}) => {
  const clock = new ManualClock();
  return { clock, cache: createCache({ ttl: 100, clock, ...options }) };
};

const unhandled: unknown[] = [];
const hear = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', hear));
afterAll(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', hear);
  expect(unhandled).toEqual([]);
});
afterEach(() => void vi.useRealTimers());

const reason = (promise: unknown): Promise<unknown> =>
  (promise as Promise<unknown>).then(
    () => expect.fail('it should have rejected'),
    (error: unknown) => error,
  );

describe('a load', () => {
  it('is one for a thousand callers of a cold key', async () => {
    const { cache } = setup();
    const source = deferred<string>();
    let calls = 0;
    const callers = Array.from({ length: 1000 }, () =>
      cache.getOrLoad('a', () => {
        calls += 1;
        return source.promise;
      }),
    );
    source.resolve('x');
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['x']));
    expect(calls).toBe(1);
    expect(cache.snapshot()).toMatchObject({ miss: 1, coalesced: 999, loadsInFlight: 0 });
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('down'))],
    [
      'throws at once',
      () => {
        throw new Error('down');
      },
    ],
  ])('that %s is one for a thousand callers, and all are told why', async (_how, fail) => {
    const { cache } = setup();
    const loader = vi.fn(fail);
    const callers = Array.from({ length: 1000 }, () => cache.getOrLoad('a', loader));
    const ends = await Promise.allSettled(callers);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(ends.every((end) => end.status === 'rejected' && end.reason.message === 'down')).toBe(true);
    expect(cache.snapshot()).toMatchObject({ loadErrors: 1, loadsInFlight: 0, entries: 0 });
    await reason(cache.getOrLoad('a', loader));
    expect(loader).toHaveBeenCalledTimes(2);
  });

  it('that fails is not repeated for so long, if that is wanted', async () => {
    const { cache, clock } = setup({ errorTtl: 10 });
    const loader = vi.fn(() => Promise.reject(new Error('down')));
    await reason(cache.getOrLoad('a', loader));
    clock.advance(9);
    expect(await reason(cache.getOrLoad('a', loader))).toMatchObject({ message: 'down' });
    await expect(cache.getMany(['a'], () => [1])).rejects.toThrow('down');
    expect([cache.get('a'), cache.has('a'), cache.peek('a')]).toEqual([undefined, false, undefined]);
    expect(loader).toHaveBeenCalledTimes(1);
    clock.advance(1);
    await reason(cache.getOrLoad('a', loader));
    expect(loader).toHaveBeenCalledTimes(2);
    cache.set('a', 1);
    expect(cache.get('a')).toBe(1);
  });

  it('that failed is forgotten with its key', async () => {
    const { cache } = setup({ errorTtl: 50 });
    await reason(cache.getOrLoad('a', () => Promise.reject(new Error('down')), { tags: ['t'] }));
    cache.delete('a');
    expect(await cache.getOrLoad('a', () => 1)).toBe(1);
    await reason(cache.getOrLoad('b', () => Promise.reject(new Error('down')), { tags: ['t'] }));
    cache.invalidateTags('t');
    expect(await cache.getOrLoad('b', () => 1)).toBe(1);
  });

  it('may be from a loader that answers at once or with any thenable', async () => {
    const { cache } = setup();
    expect(await cache.getOrLoad('a', () => 1)).toBe(1);
    const foreign: PromiseLike<number> = {
      // biome-ignore lint/suspicious/noThenProperty: a promise of another library.
      then: (done) => Promise.resolve(2).then(done),
    };
    expect(await cache.getOrLoad('b', () => foreign)).toBe(2);
  });

  it('may set the ttl and tags of what it loads', async () => {
    const { cache, clock } = setup();
    const loader = async ({ setTtl, tags }: LoadContext): Promise<string> => {
      setTtl('1s');
      tags('one');
      await undefined;
      tags(['two', 'three']);
      return 'x';
    };
    await cache.getOrLoad('a', loader, { ttl: 5, tags: ['given'] });
    clock.advance(999);
    expect(cache.has('a')).toBe(true);
    clock.advance(1);
    expect(cache.has('a')).toBe(false);
    for (const tag of ['given', 'one', 'two', 'three']) {
      await cache.getOrLoad('a', loader, { tags: ['given'] });
      expect(cache.invalidateTags(tag)).toBe(1);
    }
  });

  it('fails if the loader sets a ttl that is none', async () => {
    const { cache } = setup();
    const wrong = cache.getOrLoad('a', ({ setTtl }) => setTtl(-1));
    expect(await reason(wrong)).toMatchObject({ code: 'ERR_WEIR_INVALID_OPTION', option: 'ttl' });
  });

  it('no longer takes a ttl or tags when it is over', async () => {
    const { cache } = setup();
    let late!: LoadContext;
    await cache.getOrLoad('a', (context) => {
      late = context;
    });
    late.tags('late');
    late.setTtl(1);
    expect(cache.invalidateTags('late')).toBe(0);
    expect(cache.peek('a')?.ttlMs).toBe(100);
  });

  it('is not disturbed by others, also when there are more than there is room for', async () => {
    const { cache } = setup({ max: 1 });
    const gates = new Gates();
    const callers = Array.from({ length: 20 }, (_, i) =>
      cache.getOrLoad(`${i}`, () => gates.wait().then(() => i)),
    );
    await gates.drain();
    expect(await Promise.all(callers)).toEqual(callers.map((_, i) => i));
    expect(cache.snapshot()).toMatchObject({ entries: 1, loadsInFlight: 0, loadErrors: 0 });
  });

  it('has no effect on a second cache with the same keys', async () => {
    const first = setup().cache;
    const second = setup().cache;
    const source = deferred<string>();
    const one = first.getOrLoad('a', () => source.promise);
    expect(await second.getOrLoad('a', () => 'own')).toBe('own');
    source.resolve('x');
    expect(await one).toBe('x');
  });

  it('takes less than it gets from its ttl: jitter only shortens', async () => {
    let drawn = 0;
    const { cache } = setup({ jitter: 0.5, random: () => drawn });
    cache.set('a', 1);
    drawn = 0.5;
    await cache.getOrLoad('b', () => 1);
    expect([cache.peek('a')?.ttlMs, cache.peek('b')?.ttlMs]).toEqual([100, 75]);
  });
});

describe('the hard timeout', () => {
  it('ends a load that never settles: callers are told, the signal aborts, the key is free', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cache } = setup({ hardTimeout: '2s', name: 'users' });
    let context!: LoadContext;
    const waiting = [1, 2].map(() =>
      reason(
        cache.getOrLoad('a', (given) => {
          context = given;
          return new Promise(() => {});
        }),
      ),
    );
    vi.advanceTimersByTime(1999);
    expect(context.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    for (const error of await Promise.all(waiting)) {
      expect(error).toBeInstanceOf(LoadTimeoutError);
      expect(error).toMatchObject({
        code: 'ERR_WEIR_CACHE_LOAD_TIMEOUT',
        message: expect.stringContaining('users'),
      });
    }
    expect(context.signal.reason).toBeInstanceOf(LoadTimeoutError);
    expect(cache.snapshot()).toMatchObject({ loadsInFlight: 0, loadErrors: 1 });
    expect(await cache.getOrLoad('a', () => 1)).toBe(1);
  });

  it('is 30 s by default, and each call may have its own', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cache } = setup();
    const ended: string[] = [];
    const watch = (key: string, hardTimeout?: number): void => {
      const options = hardTimeout === undefined ? {} : { hardTimeout };
      void reason(cache.getOrLoad(key, () => new Promise(() => {}), options)).then(() => ended.push(key));
    };
    watch('default');
    watch('own', 50);
    vi.advanceTimersByTime(50);
    await settled();
    expect(ended).toEqual(['own']);
    vi.advanceTimersByTime(29_949);
    await settled();
    expect(ended).toEqual(['own']);
    vi.advanceTimersByTime(1);
    await settled();
    expect(ended).toEqual(['own', 'default']);
  });

  it('means that what the loader gives later is lost', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cache } = setup({ hardTimeout: 10 });
    const source = deferred<string>();
    const waiting = reason(cache.getOrLoad('a', () => source.promise));
    vi.advanceTimersByTime(10);
    await waiting;
    cache.set('a', 'newer');
    source.resolve('older');
    await settled();
    expect(cache.get('a')).toBe('newer');
  });

  it('leaves no timer behind when the load ends before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cache } = setup({ grace: 100, softTimeout: 50 });
    await cache.getOrLoad('a', () => 1);
    await reason(cache.getOrLoad('b', () => Promise.reject(new Error('down'))));
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a caller with a signal', () => {
  it('leaves alone: the others get the value, and the loader is not disturbed', async () => {
    const { cache } = setup();
    const source = deferred<string>();
    const leaving = new AbortController();
    let context!: LoadContext;
    const loader = (given: LoadContext): Promise<string> => {
      context = given;
      return source.promise;
    };
    const first = reason(cache.getOrLoad('a', loader, { signal: leaving.signal }));
    const second = cache.getOrLoad('a', loader, { signal: new AbortController().signal });
    const third = cache.getOrLoad('a', loader);
    leaving.abort(new Error('gone'));
    expect(await first).toMatchObject({ message: 'gone' });
    expect(context.signal.aborted).toBe(false);
    source.resolve('x');
    expect([await second, await third]).toEqual(['x', 'x']);
    expect(cache.get('a')).toBe('x');
  });

  it('who is the last one to leave aborts the loader, and the key is free', async () => {
    const { cache } = setup();
    const [one, two] = [new AbortController(), new AbortController()];
    const contexts: LoadContext[] = [];
    const loader = (context: LoadContext): Promise<string> => {
      contexts.push(context);
      return new Promise(() => {});
    };
    const waiting = [one, two].map(({ signal }) => reason(cache.getOrLoad('a', loader, { signal })));
    one.abort();
    await settled();
    expect(contexts[0]!.signal.aborted).toBe(false);
    two.abort();
    expect(contexts[0]!.signal.aborted).toBe(true);
    expect(await Promise.all(waiting)).toEqual([one.signal.reason, two.signal.reason]);
    expect(cache.snapshot()).toMatchObject({ loadsInFlight: 0 });
    expect(await cache.getOrLoad('a', () => 'new')).toBe('new');
  });

  it('that aborted before is turned away without a load, but is served what is at hand', async () => {
    const { cache } = setup();
    const signal = AbortSignal.abort(new Error('gone'));
    const loader = vi.fn();
    expect(await reason(cache.getOrLoad('a', loader, { signal }))).toMatchObject({ message: 'gone' });
    expect(await reason(cache.getMany(['a'], loader, { signal }))).toMatchObject({ message: 'gone' });
    expect(loader).not.toHaveBeenCalled();
    cache.set('a', 1);
    expect(cache.getOrLoad('a', loader, { signal })).toBe(1);
  });

  it('leaves no listener on it', async () => {
    const { cache } = setup();
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    await cache.getOrLoad('a', async () => 1, { signal });
    await reason(cache.getOrLoad('b', () => Promise.reject(new Error('down')), { signal }));
    await settled();
    expect(add).toHaveBeenCalledTimes(2);
    expect(remove).toHaveBeenCalledTimes(2);
  });

  it('sees the abort in a signal that the loader reads only afterwards', async () => {
    const { cache } = setup();
    const leaving = new AbortController();
    let context!: LoadContext;
    const hangs = (given: LoadContext): Promise<unknown> => {
      context = given;
      return new Promise(() => {});
    };
    const waiting = reason(cache.getOrLoad('a', hangs, { signal: leaving.signal }));
    leaving.abort();
    await waiting;
    expect(context.signal.aborted).toBe(true);
  });
});

describe('getMany', () => {
  it('loads what is missing with one call, and keeps the order and the doubles', async () => {
    const { cache } = setup();
    cache.set('b', 'B');
    const loader = vi.fn(async (keys: readonly string[]) => keys.map((key) => key.toUpperCase()));
    expect(await cache.getMany(['a', 'b', 'c', 'a'], loader)).toEqual(['A', 'B', 'C', 'A']);
    expect(loader.mock.calls.map(([keys]) => keys)).toEqual([['a', 'c']]);
    expect(cache.getMany(['c', 'a'], loader)).toEqual(['C', 'A']);
    expect(cache.getMany([], loader)).toEqual([]);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('shares loads with others in both directions', async () => {
    const { cache } = setup();
    const [one, many] = [deferred<string>(), deferred<string[]>()];
    const single = cache.getOrLoad('a', () => one.promise);
    const batch = cache.getMany(['a', 'b'], (keys) => {
      expect(keys).toEqual(['b']);
      return many.promise;
    });
    const other = cache.getOrLoad('b', () => expect.fail('b is being loaded'));
    many.resolve(['B']);
    expect(await other).toBe('B');
    one.resolve('A');
    expect([await single, await batch]).toEqual(['A', ['A', 'B']]);
  });

  it('rejects as a whole when its load fails, and keeps nothing of it', async () => {
    const { cache } = setup();
    cache.set('b', 1);
    const failed = cache.getMany(['a', 'b', 'c'], () => Promise.reject(new Error('down')));
    expect(await reason(failed)).toMatchObject({ message: 'down' });
    expect(cache.snapshot()).toMatchObject({ entries: 1, loadsInFlight: 0, loadErrors: 2 });
  });

  it.each([
    ['too few values', [1], '1 values'],
    ['too many', [1, 2, 3], '3 values'],
    ['no array', 'ab', 'a string'],
  ])('refuses a batch loader that gives %s', async (_what, given, said) => {
    const { cache } = setup();
    const error = await reason(cache.getMany(['a', 'b'], () => given as unknown[]));
    expect(error).toBeInstanceOf(BatchLoadError);
    expect(error).toMatchObject({ code: 'ERR_WEIR_CACHE_BATCH', message: expect.stringContaining(said) });
    expect(cache.has('a')).toBe(false);
  });

  it('tells its loader when nobody waits for any of its keys, not before', async () => {
    const { cache } = setup();
    const leaving = new AbortController();
    const source = deferred<string[]>();
    let signal!: AbortSignal;
    const hangs = (_keys: readonly string[], context: { signal: AbortSignal }): Promise<string[]> => {
      signal = context.signal;
      return source.promise;
    };
    const batch = reason(cache.getMany(['a', 'b'], hangs, { signal: leaving.signal }));
    const other = cache.getOrLoad('b', () => expect.fail('b is being loaded'));
    leaving.abort();
    await batch;
    expect(signal.aborted).toBe(false);
    source.resolve(['A', 'B']);
    expect(await other).toBe('B');
    expect([cache.has('a'), cache.has('b')]).toEqual([false, true]);
    const gone = new AbortController();
    const last = reason(cache.getMany(['c'], hangs, { signal: gone.signal }));
    gone.abort();
    await last;
    expect(signal.aborted).toBe(true);
  });

  it('that is refused leaves nothing behind of the loads that it would have joined', async () => {
    const { cache } = setup();
    const source = deferred<string>();
    const joined = reason(cache.getOrLoad('a', () => source.promise));
    cache.invalidateTags('t');
    expect(() => cache.getMany(['a', 'b'], () => [], { ttl: -1 })).toThrow(
      expect.objectContaining({ option: 'ttl' }),
    );
    // A rejection that nobody hears would show at the end of this file.
    source.reject(new Error('down'));
    await joined;
    expect(cache.snapshot()).toMatchObject({ loadsInFlight: 0 });
  });

  it('renews the stale ones behind the answer, each by its own key in a namespace', async () => {
    const clock = new ManualClock();
    const space = createCache({ ttl: 100, grace: 100, clock }).namespace('n');
    space.set('a', 'old');
    clock.advance(100);
    expect(space.getMany(['a'], (keys) => keys.map((key) => `new ${key}`))).toEqual(['old']);
    await settled();
    expect(space.getMany(['a'], () => expect.fail('a is fresh'))).toEqual(['new a']);
  });
});

it('a process with loads under way ends when it has nothing else to do', async () => {
  const { cache } = setup();
  const spy = vi.spyOn(globalThis, 'setTimeout');
  void cache.getOrLoad('a', () => new Promise(() => {}));
  const timers = spy.mock.results.map((result) => result.value as NodeJS.Timeout);
  spy.mockRestore();
  expect(timers.map((timer) => timer.hasRef())).toEqual([false]);
  for (const timer of timers) clearTimeout(timer);
});
