import { ManualClock } from '@weir/core/testing';
import { describe, expect, it } from 'vitest';
import { type Cache, type CacheOptions, createCache, type LoadContext } from '../src/index.ts';
import { deferred, Gates, settled } from './gates.ts';

const setup = (options: Partial<CacheOptions> = {}) => {
  const clock = new ManualClock();
  return { clock, cache: createCache({ ttl: 100, clock, ...options }) };
};

const ways: [string, (cache: Cache) => void][] = [
  ['delete', (cache) => cache.delete('a')],
  ['expire', (cache) => cache.expire('a')],
  ['clear', (cache) => cache.clear()],
  ['a tag of the call', (cache) => cache.invalidateTags('given')],
  ['a tag that the loader has declared', (cache) => cache.invalidateTags(['early'])],
  ['a tag that the loader will declare', (cache) => cache.invalidateTags('late')],
];

describe.each(ways)('%s', (_name, invalidate) => {
  // Before the loader reads the truth, between that and its answer, and when the answer is on its way.
  it.each([0, 1, 2])('wins over a load under way, at await %i', async (moment) => {
    const { cache } = setup();
    const gates = new Gates();
    let truth = 'old';
    let loads = 0;
    const loader = async ({ tags }: LoadContext): Promise<string> => {
      loads += 1;
      tags('early');
      await gates.wait();
      const seen = truth;
      await gates.wait();
      tags('late');
      return seen;
    };
    const read = (): unknown => cache.getOrLoad('a', loader, { tags: ['given'] });
    const before = read();
    if (moment > 0) gates.release();
    await settled();
    if (moment > 1) gates.release();
    truth = 'new';
    invalidate(cache);
    const after = read();
    const many = cache.getMany(['a'], async (keys) => keys.map(() => truth));
    for (let turn = 0; turn < 6; turn += 1) {
      gates.releaseAll();
      await settled();
    }
    // Who asked before may have either; who asked after has the new one, and it stays.
    expect(['old', 'new']).toContain(await before);
    expect(await after).toBe('new');
    expect(await many).toEqual(['new']);
    expect(cache.get('a')).toBe('new');
    expect(loads).toBe(2);
    expect(cache.snapshot()).toMatchObject({ loadsInFlight: 0 });
  });
});

it('set wins over a load under way', async () => {
  const { cache } = setup();
  const source = deferred<string>();
  const before = cache.getOrLoad('a', () => source.promise);
  cache.set('a', 'new');
  expect(cache.getOrLoad('a', () => expect.fail('it is there'))).toBe('new');
  source.resolve('old');
  expect(await before).toBe('old');
  expect(cache.get('a')).toBe('new');
});

it('a set that keeps nothing wins as well', async () => {
  const { cache } = setup();
  const source = deferred<string>();
  const before = cache.getOrLoad('a', () => source.promise);
  cache.set('a', 'new', { ttl: 0 });
  source.resolve('old');
  await before;
  expect(cache.has('a')).toBe(false);
});

it('a renewal behind an answer is overtaken by a tag of the value it renews', async () => {
  const { cache, clock } = setup({ grace: 100, max: 1 });
  cache.set('a', 'old', { tags: ['t'] });
  clock.advance(100);
  const source = deferred<string>();
  cache.getOrLoad('a', () => source.promise);
  // The stale value is driven out; what it was tagged with still counts.
  cache.set('b', 1);
  cache.invalidateTags('t');
  source.resolve('half-old');
  await settled();
  expect(cache.has('a')).toBe(false);
});

it('a load is not disturbed by the tags of others', async () => {
  const { cache } = setup();
  const source = deferred<string>();
  let loads = 0;
  const loader = ({ tags }: LoadContext): Promise<string> => {
    loads += 1;
    tags('mine');
    return source.promise;
  };
  const before = cache.getOrLoad('a', loader);
  for (let i = 0; i < 1000; i += 1) cache.invalidateTags(`other:${i}`);
  const after = cache.getOrLoad('a', loader);
  source.resolve('x');
  expect([await before, await after]).toEqual(['x', 'x']);
  expect(cache.get('a')).toBe('x');
  expect(loads).toBe(1);
});

it('who joined after a tag was invalidated is told of a failure, not left waiting', async () => {
  const { cache } = setup();
  const source = deferred<string>();
  const before = cache.getOrLoad('a', () => source.promise) as Promise<string>;
  cache.invalidateTags('t');
  const after = cache.getOrLoad('a', () => expect.fail('it is being loaded')) as Promise<string>;
  const ends = Promise.allSettled([before, after]);
  source.reject(new Error('down'));
  expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

it('a flood of tags during one long load takes bounded memory, and costs that load its place', async () => {
  const { cache } = setup();
  const source = deferred<string>();
  const before = cache.getOrLoad('a', ({ tags }) => source.promise.finally(() => tags('tag:0')));
  for (let i = 0; i <= 100_000; i += 1) cache.invalidateTags(`tag:${i}`);
  source.resolve('old');
  expect(await before).toBe('old');
  expect(cache.has('a')).toBe(false);
});

it('a loader that invalidates its own key while it runs is not kept', async () => {
  const { cache } = setup();
  const value = await cache.getOrLoad('a', () => {
    cache.delete('a');
    return 'x';
  });
  expect(value).toBe('x');
  expect(cache.has('a')).toBe(false);
});

it('a late renewal does not bring back what was deleted', async () => {
  const { cache, clock } = setup({ grace: 100 });
  cache.set('a', 'old');
  clock.advance(100);
  const source = deferred<string>();
  expect(cache.getOrLoad('a', () => source.promise)).toBe('old');
  cache.delete('a');
  source.resolve('old again');
  await settled();
  expect(cache.peek('a')).toBeUndefined();
});
