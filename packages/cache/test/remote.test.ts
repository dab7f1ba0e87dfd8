import { ManualClock } from '@weir/core/testing';
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import {
  createCache,
  type LoadContext,
  RemoteError,
  type SharedCache,
  type SharedCacheOptions,
} from '../src/index.ts';
import { FakeTier } from './fakes.ts';
import { deferred, Gates, settled } from './gates.ts';

const unhandled: unknown[] = [];
const hear = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', hear));
afterAll(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', hear);
  expect(unhandled).toEqual([]);
});
afterEach(() => void vi.useRealTimers());

const setup = (options: Partial<SharedCacheOptions> = {}) => {
  const clock = new ManualClock();
  const tier = new FakeTier(clock);
  /** A cache of another process. */
  const process = (): SharedCache =>
    createCache({ ttl: 100, clock, lockWait: 1000, ...options, remote: tier });
  const locking = () => {
    tier.withLocks = true;
    return { clock, tier, cache: process(), process };
  };
  return { clock, tier, cache: process(), process, locking };
};
const never = (): never => {
  throw new Error('the loader must not be called');
};

it('makes promises of what other processes have a say in, and of that only', () => {
  const local = createCache({ ttl: 1 });
  const { cache: shared } = setup();
  expectTypeOf(local.set).returns.toEqualTypeOf<void>();
  expectTypeOf(local.delete).returns.toEqualTypeOf<boolean>();
  expectTypeOf(local.invalidateTags).returns.toEqualTypeOf<number>();
  expectTypeOf(local.get<string>).returns.toEqualTypeOf<string | undefined>();
  expectTypeOf(local.namespace('n').has).returns.toEqualTypeOf<boolean>();
  expectTypeOf(shared.set).returns.toEqualTypeOf<Promise<void>>();
  expectTypeOf(shared.delete).returns.toEqualTypeOf<Promise<boolean>>();
  expectTypeOf(shared.invalidateTags).returns.toEqualTypeOf<Promise<number>>();
  expectTypeOf(shared.get<string>).returns.toEqualTypeOf<string | undefined | Promise<string | undefined>>();
  expectTypeOf(shared.namespace('n').clear).returns.toEqualTypeOf<Promise<void>>();
});

describe('a remote tier', () => {
  it('is read before the loader is called, and written after it', async () => {
    const { cache, tier, process } = setup();
    const loader = vi.fn(async () => ({ name: 'ada' }));
    expect(await cache.getOrLoad('a', loader, { tags: ['t'] })).toEqual({ name: 'ada' });
    await settled();
    expect(cache.getOrLoad('a', never)).toEqual({ name: 'ada' });
    expect(tier.calls).toEqual(['read a', 'write a']);
    const other = process();
    expect(await other.getOrLoad('a', never)).toEqual({ name: 'ada' });
    expect(other.getOrLoad('a', never)).toEqual({ name: 'ada' });
    expect(await other.invalidateTags('t')).toBe(1);
    expect(other.snapshot()).toMatchObject({ remoteHit: 1, remoteMiss: 0 });
    expect(cache.snapshot()).toMatchObject({ remoteHit: 0, remoteMiss: 1 });
  });

  it('serves get and has, once for all who ask at the same time, and loads nothing', async () => {
    const { cache, tier, process } = setup();
    await cache.set('a', null);
    tier.calls.length = 0;
    const other = process();
    expect(await Promise.all([other.get('a'), other.get('a'), other.has('a')])).toEqual([null, null, true]);
    expect(other.get('a')).toBeNull();
    expect(await other.has('b')).toBe(false);
    expect(tier.calls).toEqual(['read a', 'read b']);
  });

  it('serves a batch with one read, and the loader has only what it lacks', async () => {
    const { cache, tier, process } = setup();
    await cache.set('a', 'A');
    await cache.set('c', 'C');
    tier.calls.length = 0;
    const other = process();
    const loader = vi.fn((keys: readonly string[]) => keys.map((key) => key.toUpperCase()));
    expect(await other.getMany(['a', 'b', 'c', 'd'], loader)).toEqual(['A', 'B', 'C', 'D']);
    expect(loader.mock.calls.map(([keys]) => keys)).toEqual([['b', 'd']]);
    await settled();
    expect(tier.calls).toEqual(['read a,b,c,d', 'write b', 'write d']);
  });

  it('never makes memory outlive it: age is counted from before the question', async () => {
    const { cache, tier, process, clock } = setup({ grace: 50 });
    await cache.set('a', 1);
    clock.advance(70);
    tier.delay = async () => clock.advance(5);
    const other = process();
    expect(await other.getOrLoad('a', never)).toBe(1);
    expect(clock.now()).toBe(80);
    expect(other.peek('a')).toEqual({ value: 1, ageMs: 85, ttlMs: 15, stale: false });
  });

  it('may have a stale value, which is served while one load renews it', async () => {
    const { cache, process, clock } = setup({ grace: 50 });
    await cache.set('a', 'old');
    clock.advance(120);
    const other = process();
    const source = deferred<string>();
    const loader = vi.fn(({ stale }: LoadContext) => (stale === 'old' ? source.promise : never()));
    expect(await other.getOrLoad('a', loader)).toBe('old');
    expect(other.getOrLoad('a', loader)).toBe('old');
    await settled();
    expect(loader).toHaveBeenCalledTimes(1);
    source.resolve('new');
    await settled();
    expect(other.getOrLoad('a', never)).toBe('new');
    expect(await process().getOrLoad('a', never)).toBe('new');
  });

  it('may have a stale value that is waited for within the soft timeout', async () => {
    const { cache, process, clock } = setup({ grace: 50, softTimeout: 20 });
    await cache.set('a', 'old');
    clock.advance(120);
    expect(await process().getOrLoad('a', async () => 'new')).toBe('new');
    clock.advance(120);
    expect(await process().getOrLoad('a', () => Promise.reject(new Error('down')))).toBe('new');
  });

  it('does not replace what memory has by something staler', async () => {
    const { cache, tier, clock } = setup({ grace: 1000 });
    await cache.set('a', 'tier');
    clock.advance(50);
    tier.failing = new Error('refused');
    await cache.delete('a').catch(() => {});
    await cache.getOrLoad('a', () => 'memory');
    tier.failing = undefined;
    clock.advance(110);
    expect(await cache.get('a')).toBeUndefined();
    expect(cache.peek('a')?.value).toBe('memory');
    expect(cache.getOrLoad('a', () => new Promise(() => {}))).toBe('memory');
    await settled();
    expect(cache.peek('a')?.value).toBe('memory');
  });

  it('does not end an early renewal with the very value that it is to renew', async () => {
    const { cache, tier, clock, process } = setup({ earlyRefresh: 1, random: () => Math.exp(-5) });
    await cache.getOrLoad('a', () => void clock.advance(10));
    clock.advance(60);
    const other = process();
    await other.getOrLoad('a', never);
    const loader = vi.fn(() => 'new');
    other.getOrLoad('a', loader);
    await settled();
    expect(loader).toHaveBeenCalledTimes(1);
    expect(other.get('a')).toBe('new');
    // Who draws next takes what that one has written.
    cache.getOrLoad('a', never);
    await settled();
    expect(cache.get('a')).toBe('new');
    expect(tier.calls.filter((call) => call.startsWith('write'))).toHaveLength(2);
  });

  it('of caches with another name has other entries', async () => {
    const { tier, clock } = setup();
    const named = (name: string): SharedCache => createCache({ ttl: 100, clock, remote: tier, name });
    await named('users').set('1', 'ada');
    expect(await named('books').get('1')).toBeUndefined();
    await named('books').clear();
    expect(await named('users').get('1')).toBe('ada');
  });

  it('keeps namespaces apart, and they are cleared there too', async () => {
    const { cache, process } = setup();
    await cache.namespace('n').set('a', 1);
    await cache.set('a', 2);
    await cache.namespace('n').clear();
    const other = process();
    expect(await other.namespace('n').get('a')).toBeUndefined();
    expect(await other.get('a')).toBe(2);
  });

  it('is told when a value is set that is not kept, and closed with the cache', async () => {
    const { cache, tier, process } = setup();
    await cache.set('a', 1);
    await cache.set('a', 2, { ttl: 0 });
    expect(await process().get('a')).toBeUndefined();
    await cache.close();
    expect(tier.closed).toBe(1);
  });

  it('is refused if it opens to something else', () => {
    const open = (): unknown => ({ read() {} });
    const make = (): unknown => createCache({ ttl: 1, remote: { open } as never });
    expect(make).toThrow(expect.objectContaining({ option: 'remote' }));
  });
});

describe('an invalidation in another process', () => {
  const ways: [string, (cache: SharedCache) => Promise<unknown>][] = [
    ['delete', (cache) => cache.delete('a')],
    ['expire', (cache) => cache.expire('a')],
    ['a tag', (cache) => cache.invalidateTags('t')],
    ['a tag declared late', (cache) => cache.invalidateTags('late')],
    ['clear', (cache) => cache.clear()],
    ['set', (cache) => cache.set('a', 'new')],
  ];

  it.each(ways)('wins over a load under way, without any bus: %s', async (_name, invalidate) => {
    const { cache, process } = setup();
    const other = process();
    const source = deferred<string>();
    const before = cache.getOrLoad('a', ({ tags }) => source.promise.finally(() => tags('late')), {
      tags: ['t'],
    });
    await settled();
    await invalidate(other);
    source.resolve('old');
    expect(await before).toBe('old');
    // Asked in the very turn in which the first caller was answered: the tier has not yet said yes or no.
    expect(await cache.getOrLoad('a', () => 'new')).toBe('new');
    await settled();
    expect(await process().getOrLoad('a', () => 'new')).toBe('new');
    expect(cache.getOrLoad('a', never)).toBe('new');
  });

  it('takes the stale value out of memory with the renewal that it refuses', async () => {
    const { cache, process, clock } = setup({ grace: 100 });
    await cache.set('a', 'old');
    clock.advance(110);
    const source = deferred<string>();
    expect(cache.getOrLoad('a', () => source.promise)).toBe('old');
    await settled();
    await process().delete('a');
    source.resolve('half-old');
    await settled();
    expect(cache.peek('a')).toBeUndefined();
  });

  it('is not undone by what this process reads while it invalidates', async () => {
    const { cache, tier } = setup();
    await cache.set('a', 'old');
    const gates = new Gates();
    tier.delay = () => gates.wait();
    const deleted = cache.delete('a');
    // Reads the tier before the deletion has got there: two connections, as in a pool.
    const reading = cache.getOrLoad('a', () => 'new');
    await gates.drain();
    await deleted;
    await reading;
    expect(await cache.getOrLoad('a', () => 'new')).toBe('new');
  });
});

it.each(['before', 'after'])(
  'set is not undone by an older value that is read from the tier %s it returns',
  async (moment) => {
    const { cache, tier } = setup({ max: 1 });
    await cache.set('a', 'old');
    const gates = new Gates();
    tier.delay = () => gates.wait();
    const done = cache.set('a', 'new');
    // Drives the new value out of memory, so that the tier is asked.
    void cache.set('b', 1);
    const reading = cache.getOrLoad('a', never);
    await settled();
    const [write, read] = [0, 1];
    gates.release(read);
    await settled();
    if (moment === 'before') {
      gates.release(read);
      expect(await reading).toBe('old');
    } else {
      gates.release(write);
      await settled();
      gates.release(1);
      await done;
    }
    await gates.drain();
    await done;
    expect(await reading).toBe('old');
    const after = cache.getOrLoad('a', never);
    await gates.drain();
    expect(await after).toBe('new');
  },
);

describe('while the tier is offered a value', () => {
  it('who asks waits for its answer, or leaves', async () => {
    const { cache, tier } = setup();
    const gates = new Gates();
    await settled();
    const before = cache.getOrLoad('a', () => 'x');
    await settled();
    tier.delay = () => gates.wait();
    expect(await before).toBe('x');
    const leaving = new AbortController();
    const [gone, after, many] = [
      Promise.resolve(cache.getOrLoad('a', never, { signal: leaving.signal })).catch(
        (error: Error) => error.message,
      ),
      cache.getOrLoad('a', never),
      cache.getMany(['a'], never),
    ];
    leaving.abort(new Error('gone'));
    await gates.drain();
    expect([await gone, await after, await many]).toEqual([
      tier.calls.includes('write a') ? 'x' : 'gone',
      'x',
      ['x'],
    ]);
  });
});

describe('a tier that fails', () => {
  it('is a miss, and what is loaded is kept in memory', async () => {
    const { cache, tier } = setup();
    tier.failing = new Error('refused');
    expect(await cache.getOrLoad('a', () => 1)).toBe(1);
    expect(cache.getOrLoad('a', never)).toBe(1);
    expect(await cache.get('b')).toBeUndefined();
    expect(tier.calls).toEqual(['read a', 'read b']);
    expect(cache.snapshot()).toMatchObject({ faults: 2, remoteMiss: 2, loadErrors: 0 });
  });

  it('makes set and invalidations reject, and memory forgets what other processes may not have', async () => {
    const { cache, tier } = setup();
    tier.failing = new Error('refused');
    for (const [what, call] of [
      ['a write', cache.set('a', 1)],
      ['an invalidation', cache.delete('a')],
      ['an invalidation', cache.clear()],
    ] as const) {
      const error = await call.catch((given: unknown) => given);
      expect(error).toBeInstanceOf(RemoteError);
      expect(error).toMatchObject({ code: 'ERR_WEIR_CACHE_REMOTE', cause: tier.failing });
      expect((error as Error).message).toContain(what);
    }
    expect(cache.peek('a')).toBeUndefined();
  });

  it('crashes nothing when nobody waits for the rejection', async () => {
    const { cache, tier } = setup();
    tier.failing = new Error('refused');
    void cache.set('a', 1);
    void cache.delete('a');
    await settled();
    expect(cache.snapshot()).toMatchObject({ faults: 2 });
  });

  it('keeps in memory what it could not be offered', async () => {
    const { cache, tier } = setup();
    await cache.getOrLoad('a', () => {
      tier.failing = new Error('refused');
      return 1;
    });
    await settled();
    expect(cache.getOrLoad('a', never)).toBe(1);
  });

  it.each([
    ['no array', () => null],
    ['an array that is too short', () => []],
    ['reads that are none', () => [null]],
    ['an entry that is none', () => [{ stamp: 1, entry: 'text' }]],
    [
      'an entry without tags',
      () => [{ stamp: 1, entry: { value: 'bad', ttlMs: 1e9, graceMs: 0, ageMs: 0 } }],
    ],
    ['an entry without times', () => [{ stamp: 1, entry: { value: 'bad', tags: [] } }]],
  ])('by giving %s is a miss', async (_what, read) => {
    const clock = new ManualClock();
    const store = { read: async () => read(), write: async () => true, invalidate: async () => {} };
    const cache = createCache({ ttl: 100, clock, remote: { open: () => store as never } });
    expect(await cache.getOrLoad('a', () => 'good')).toBe('good');
    await settled();
    expect(await cache.get('b')).toBeUndefined();
  });

  it('by being frozen costs its deadline and no more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cache, tier } = setup({ remoteTimeout: 50 });
    tier.frozen = true;
    const source = deferred<string>();
    const loader = vi.fn(() => source.promise);
    const waiting = cache.getOrLoad('a', loader);
    vi.advanceTimersByTime(49);
    await settled();
    expect(loader).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    await settled();
    expect(loader).toHaveBeenCalledTimes(1);
    source.resolve('x');
    // No timer has to pass any more.
    expect(await waiting).toBe('x');
    expect(cache.getOrLoad('a', never)).toBe('x');
    expect(vi.getTimerCount()).toBe(0);
    const failed = cache.delete('a').catch((error: Error) => String(error.cause));
    vi.advanceTimersByTime(50);
    expect(await failed).toContain('50 ms');
  });

  it('by being slow is not listened to when its deadline has passed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cache, tier, process } = setup({ remoteTimeout: 50 });
    await process().set('a', 'late');
    const gates = new Gates();
    tier.delay = () => gates.wait();
    const waiting = cache.getOrLoad('a', () => 'own');
    vi.advanceTimersByTime(50);
    expect(await waiting).toBe('own');
    await gates.drain();
    expect(cache.getOrLoad('a', never)).toBe('own');
  });

  it('by freezing before it took the value costs those who ask meanwhile its deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cache, tier } = setup({ remoteTimeout: 50 });
    const before = cache.getOrLoad('a', () => {
      tier.frozen = true;
      return 'x';
    });
    expect(await before).toBe('x');
    const after = cache.getOrLoad('a', never);
    vi.advanceTimersByTime(50);
    expect(await after).toBe('x');
    expect(cache.getOrLoad('a', never)).toBe('x');
  });
});

describe('locks', () => {
  it('make one load of those in all processes', async () => {
    const { tier, process } = setup().locking();
    const source = deferred<string>();
    const loader = vi.fn(() => source.promise);
    const caches = [process(), process(), process(), process()];
    const callers = caches.flatMap((cache) =>
      Array.from({ length: 250 }, () => cache.getOrLoad('a', loader)),
    );
    await settled();
    expect(loader).toHaveBeenCalledTimes(1);
    source.resolve('x');
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['x']));
    expect(loader).toHaveBeenCalledTimes(1);
    expect(tier.shelf('').locks.size).toBe(0);
  });

  it('are given up with a failure, and the next process tries', async () => {
    const { tier, process } = setup().locking();
    const source = deferred<string>();
    const first = process().getOrLoad('a', () => source.promise) as Promise<string>;
    const failed = first.catch((error: Error) => error.message);
    await settled();
    const second = process().getOrLoad('a', () => 'second');
    await settled();
    source.reject(new Error('down'));
    expect([await failed, await second]).toEqual(['down', 'second']);
    expect(tier.calls).toContain('release a');
    await settled();
    expect(tier.shelf('').locks.size).toBe(0);
  });

  it.each<[string, (context: LoadContext) => void]>([
    ['is not kept', ({ setTtl }) => setTtl(0)],
    ['cannot be kept', () => {}],
    ['was invalidated here', () => {}],
  ])('are given up when the value %s', async (how, during) => {
    const { tier, process } = setup(how === 'cannot be kept' ? { protect: 'clone' } : {}).locking();
    const cache = process();
    await Promise.resolve(
      cache.getOrLoad(
        'a',
        async (context) => {
          during(context);
          if (how === 'was invalidated here') await cache.invalidateTags('t');
          return how === 'cannot be kept' ? () => {} : 'x';
        },
        { tags: ['t'] },
      ),
    ).catch(() => {});
    await settled();
    expect(tier.shelf('').locks.size).toBe(0);
    expect(tier.calls).toContain('release a');
  });

  it.each(['release a', 'write a'])('end before the cache is closed: %s', async (call) => {
    const { tier, process } = setup().locking();
    const cache = process();
    const gates = new Gates();
    await Promise.resolve(
      cache.getOrLoad('a', async () => {
        tier.delay = () => gates.wait();
        if (call === 'release a') throw new Error('down');
        return 'x';
      }),
    ).catch(() => {});
    expect(tier.calls).toContain(call);
    let closed = false;
    const closing = cache.close().then(() => {
      closed = true;
    });
    await settled();
    expect([closed, tier.closed]).toEqual([false, 0]);
    await gates.drain();
    await closing;
    expect(tier.shelf('').locks.size).toBe(0);
    expect(tier.closed).toBe(1);
  });

  it('are given up when nobody waits any more, also while the tier is asked', async () => {
    const { tier, process } = setup().locking();
    for (const moment of ['loading', 'asking']) {
      const gates = new Gates();
      if (moment === 'asking') tier.delay = () => gates.wait();
      const leaving = new AbortController();
      const gone = Promise.resolve(
        process().getOrLoad('a', () => new Promise(() => {}), { signal: leaving.signal }),
      ).catch(() => 'gone');
      await settled();
      leaving.abort();
      expect(await gone).toBe('gone');
      await gates.drain();
      await settled();
      expect(tier.shelf('').locks.size).toBe(0);
    }
  });

  it('are waited for no longer than lockWait, by host timers; then the process loads for itself', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { process, clock } = setup().locking();
    void process().getOrLoad('a', () => new Promise(() => {}));
    await settled();
    const loader = vi.fn(() => 'own');
    const waiting = process().getOrLoad('a', loader);
    await settled();
    vi.advanceTimersByTime(999);
    await settled();
    expect(loader).not.toHaveBeenCalled();
    clock.advance(1000);
    vi.advanceTimersByTime(1);
    expect(await waiting).toBe('own');
  });

  it('of a process that died lapse, and one of those that wait takes over', async () => {
    const { tier, process, clock } = setup().locking();
    void process().getOrLoad('a', () => new Promise(() => {}));
    await settled();
    clock.advance(500);
    const loader = vi.fn(async () => 'x');
    const others = [process().getOrLoad('a', loader), process().getOrLoad('a', loader)];
    await settled();
    clock.advance(500);
    tier.shelf('').wake('a');
    expect(await Promise.all(others)).toEqual(['x', 'x']);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('end with the deletion of their key: nobody waits for a load that is worth nothing', async () => {
    const { process } = setup().locking();
    const source = deferred<string>();
    const old = process().getOrLoad('a', () => source.promise);
    await settled();
    const other = process();
    await other.delete('a');
    expect(await other.getOrLoad('a', () => 'new')).toBe('new');
    source.resolve('old');
    expect(await old).toBe('old');
    await settled();
    expect(await process().get('a')).toBe('new');
  });

  it('let a stale value be served while another process renews it', async () => {
    const { process, clock } = setup({ grace: 100 }).locking();
    await process().set('a', 'old');
    clock.advance(110);
    const source = deferred<string>();
    expect(await process().getOrLoad('a', () => source.promise)).toBe('old');
    await settled();
    const other = process();
    expect(await other.getOrLoad('a', never)).toBe('old');
    expect(other.getOrLoad('a', never)).toBe('old');
    source.resolve('new');
    await settled();
    expect(other.getOrLoad('a', never)).toBe('new');
  });

  it('are not asked for where they are of no use: batches, get, lockWait 0', async () => {
    const { tier, process, clock } = setup().locking();
    await process().getMany(['a'], () => [1]);
    await process().get('b');
    await createCache({ ttl: 1, clock, remote: tier, lockWait: 0 }).getOrLoad('c', () => 1);
    expect(tier.calls.filter((call) => call.startsWith('lock'))).toEqual([]);
    await settled();
  });

  it('are not waited for when the tier cannot say', async () => {
    const { tier, process } = setup().locking();
    void process().getOrLoad('a', () => new Promise(() => {}));
    await settled();
    const waiting = process().getOrLoad('a', () => 'own');
    tier.failing = new Error('refused');
    await settled();
    tier.shelf('').wake('a');
    expect(await waiting).toBe('own');
  });
});
