import { ManualClock } from '@weir/core/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCache, RemoteError, type SharedCache, type SharedCacheOptions } from '../src/index.ts';
import { FakeBus, FakeTier } from './fakes.ts';
import { deferred, settled } from './gates.ts';

const setup = (options: Partial<SharedCacheOptions> = {}) => {
  const clock = new ManualClock();
  const bus = new FakeBus();
  const process = (name?: string): SharedCache =>
    createCache({ ttl: 100, clock, ...options, ...(name === undefined ? {} : { name }), bus });
  return { clock, bus, cache: process(), other: process(), process };
};

afterEach(() => void vi.useRealTimers());

describe('a bus', () => {
  it('carries every kind of invalidation to the other processes', async () => {
    const { cache, other } = setup({ grace: 100 });
    const fill = async (): Promise<void> => {
      await cache.set('a', 1);
      await other.set('a', 1, { tags: ['t'] });
      await settled();
    };
    await fill();
    expect(await cache.delete('a')).toBe(false);
    expect(other.peek('a')).toBeUndefined();
    await fill();
    await cache.expire('a');
    expect(other.peek('a')).toMatchObject({ stale: true });
    await fill();
    await cache.invalidateTags('t');
    expect(other.peek('a')).toBeUndefined();
    await fill();
    await cache.clear();
    expect(other.peek('a')).toBeUndefined();
    await fill();
    await cache.set('a', 2);
    expect(other.peek('a')).toBeUndefined();
    expect(cache.get('a')).toBe(2);
  });

  it('overtakes the loads of the other processes', async () => {
    const { cache, other } = setup();
    const source = deferred<string>();
    const before = other.getOrLoad('a', () => source.promise);
    await cache.delete('a');
    const after = other.getOrLoad('a', () => 'new');
    source.resolve('old');
    expect([await before, await after]).toEqual(['old', 'new']);
    expect(other.get('a')).toBe('new');
  });

  it('serves caches of several names, which do not hear each other', async () => {
    const { process } = setup();
    const [users, books] = [process('users'), process('books')];
    await books.set('1', 'book');
    await users.clear();
    expect(books.get('1')).toBe('book');
  });

  it('is told after the remote tier, so that who hears it reads the new value there', async () => {
    const clock = new ManualClock();
    const [tier, bus] = [new FakeTier(clock), new FakeBus()];
    const process = (): SharedCache => createCache({ ttl: 100, clock, remote: tier, bus });
    const [cache, other] = [process(), process()];
    await other.set('a', 'old');
    const source = deferred<void>();
    tier.delay = () => source.promise;
    const done = cache.set('a', 'new');
    await settled();
    expect(other.get('a')).toBe('old');
    source.resolve();
    await done;
    expect(await other.get('a')).toBe('new');
  });

  it('that cannot send makes the invalidation reject, and the next message shows that one is missing', async () => {
    const { cache, other, bus } = setup();
    await other.set('a', 1);
    await cache.set('x', 1);
    bus.failing = new Error('closed');
    const error = await cache.delete('a').catch((given: unknown) => given);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ cause: bus.failing });
    bus.failing = undefined;
    expect(other.get('a')).toBe(1);
    await cache.delete('unrelated');
    expect(other.get('a')).toBeUndefined();
  });

  it('that loses a message is found out by the next one, and memory is dropped', async () => {
    const { cache, other, bus } = setup();
    await cache.delete('first');
    await other.set('a', 1);
    bus.losing = 1;
    await cache.delete('a');
    expect(other.get('a')).toBe(1);
    await cache.delete('unrelated');
    expect(other.get('a')).toBeUndefined();
    expect(other.snapshot()).toMatchObject({ busGaps: 1 });
  });

  it('may bring messages twice, late, and of a kind that is not known yet', async () => {
    const { cache, other, bus } = setup();
    await cache.delete('first');
    await cache.delete('second');
    await other.set('a', 1);
    await other.set('b', 1);
    const hear = bus.members[1]!.listener;
    for (const message of bus.sent.slice(0, 2)) hear.message(message);
    expect(other.get('a')).toBe(1);
    expect(other.snapshot()).toMatchObject({ busGaps: 0 });
    hear.message({ origin: 'newer', seq: 1, what: { kind: 'prefix', prefix: 'a' } as never });
    expect(other.snapshot()).toMatchObject({ entries: 0 });
  });

  it('may know an origin that was at work before, whose earlier messages were missed', async () => {
    const { cache, process } = setup();
    await cache.delete('x');
    const late = process();
    await late.set('a', 1);
    await cache.delete('y');
    expect(late.get('a')).toBeUndefined();
    await late.set('a', 1);
    await cache.delete('z');
    expect(late.get('a')).toBe(1);
  });

  it('that is down has memory dropped every suspectTtl, and once more when it is up', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { other, bus } = setup({ suspectTtl: 20 });
    const hear = bus.members[1]!.listener;
    await other.set('a', 1);
    hear.down();
    hear.down();
    expect(other.snapshot()).toMatchObject({ bus: 'down' });
    vi.advanceTimersByTime(19);
    expect(other.get('a')).toBe(1);
    vi.advanceTimersByTime(1);
    expect(other.get('a')).toBeUndefined();
    await other.set('a', 2);
    expect(other.get('a')).toBe(2);
    hear.up();
    expect(other.get('a')).toBeUndefined();
    expect(other.snapshot()).toMatchObject({ bus: 'up' });
    expect(vi.getTimerCount()).toBe(0);
    const up = other.metrics().find(({ name }) => name === 'weir_cache_bus_up');
    expect(up).toMatchObject({ value: 1 });
  });

  it('does not cost a value that is set twice in a row its place', async () => {
    const { cache } = setup();
    await Promise.all([cache.set('a', 1), cache.set('a', 2)]);
    expect(cache.get('a')).toBe(2);
  });

  it('may be down when the cache is made', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const join = vi.fn((_cache: string, listener: { down(): void }) => {
      listener.down();
      return { publish: async () => {}, leave() {} };
    });
    const cache = createCache({ ttl: 100, clock: new ManualClock(), bus: { join } });
    await cache.set('a', 1);
    vi.advanceTimersByTime(5000);
    expect(cache.get('a')).toBeUndefined();
    await cache.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is left at close, once', async () => {
    const { cache, other, bus } = setup();
    await other.set('a', 1);
    const hear = bus.members[1]!.listener;
    await other.close();
    await other.close();
    expect(bus.members).toHaveLength(1);
    await cache.clear();
    expect(other.get('a')).toBe(1);
    hear.down();
    expect(other.snapshot()).toMatchObject({ bus: 'up' });
  });
});
