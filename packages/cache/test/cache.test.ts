import { InvalidOptionError } from '@weir/core';
import { ManualClock } from '@weir/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheKeyError, type CacheOptions, createCache, type KeySpace } from '../src/index.ts';

const setup = (options: Partial<CacheOptions> = {}) => {
  const clock = new ManualClock();
  return { clock, cache: createCache({ ttl: 100, clock, ...options }) };
};

const never = (): never => {
  throw new Error('the loader must not be called');
};

describe('values', () => {
  it('come back at once, without a promise, while they are fresh', () => {
    const { cache, clock } = setup();
    cache.set('a', 1);
    clock.advance(99);
    expect(cache.getOrLoad('a', never)).toBe(1);
    expect(cache.get('a')).toBe(1);
    expect(cache.has('a')).toBe(true);
  });

  it('end with their ttl, to the millisecond', async () => {
    const { cache, clock } = setup();
    cache.set('a', 1);
    cache.set('b', 1, { ttl: '1s' });
    clock.advance(100);
    expect(cache.get('a')).toBeUndefined();
    expect(cache.has('a')).toBe(false);
    expect(cache.peek('a')).toBeUndefined();
    expect(await cache.getOrLoad('a', () => 2)).toBe(2);
    clock.advance(899);
    expect(cache.has('b')).toBe(true);
    clock.advance(1);
    expect(cache.has('b')).toBe(false);
  });

  it.each([[undefined], [null], [0], [''], [false], [Number.NaN]])(
    'may be %s, which is no miss',
    async (value) => {
      const { cache } = setup();
      expect(await cache.getOrLoad('loaded', () => value)).toBe(value);
      expect(cache.getOrLoad('loaded', never)).toBe(value);
      cache.set('set', value);
      expect(cache.getOrLoad('set', never)).toBe(value);
      expect(cache.has('set')).toBe(true);
      expect(cache.peek('set')).toMatchObject({ value });
    },
  );

  it('of null and undefined have a ttl of their own, if one is given', async () => {
    const { cache, clock } = setup({ negativeTtl: 10 });
    cache.set('none', null);
    cache.set('some', 0);
    await cache.getOrLoad('void', () => undefined);
    clock.advance(10);
    expect([cache.has('none'), cache.has('void'), cache.has('some')]).toEqual([false, false, true]);
  });

  it('with a ttl of 0 are served and not kept', async () => {
    const { cache } = setup({ negativeTtl: 0 });
    cache.set('a', 'old');
    cache.set('a', 'new', { ttl: 0 });
    expect(cache.has('a')).toBe(false);
    expect(await cache.getOrLoad('b', () => null)).toBeNull();
    expect(await cache.getOrLoad('b', () => 'now there')).toBe('now there');
    await cache.getOrLoad('c', ({ setTtl }) => setTtl(0));
    expect(cache.has('c')).toBe(false);
  });

  it('are forgotten by delete, which says whether there was one', () => {
    const { cache, clock } = setup();
    cache.set('a', undefined);
    expect(cache.delete('a')).toBe(true);
    expect(cache.delete('a')).toBe(false);
    expect(cache.has('a')).toBe(false);
    cache.set('a', 1);
    clock.advance(100);
    expect(cache.delete('a')).toBe(false);
  });

  it('are forgotten by clear, with those of namespaces', () => {
    const { cache } = setup();
    cache.set('a', 1);
    cache.namespace('n').set('a', 2);
    cache.clear();
    expect(cache.has('a')).toBe(false);
    expect(cache.namespace('n').has('a')).toBe(false);
    expect(cache.snapshot()).toMatchObject({ entries: 0 });
  });

  it('tell their age and what is left, and peeking changes no order of use', () => {
    const { cache, clock } = setup({ grace: 50, max: 2 });
    cache.set('a', 1);
    clock.advance(40);
    expect(cache.peek('a')).toEqual({ value: 1, ageMs: 40, ttlMs: 60, stale: false });
    clock.advance(100);
    expect(cache.peek('a')).toEqual({ value: 1, ageMs: 140, ttlMs: 0, stale: true });
    cache.set('b', 1);
    cache.peek('a');
    cache.set('c', 1);
    expect(cache.peek('a')).toBeUndefined();
    expect(cache.has('b')).toBe(true);
  });

  it('at time 0 and with a clock that stands still are values like others', async () => {
    const { cache } = setup({ clock: new ManualClock(0) });
    expect(await cache.getOrLoad('a', () => 'x')).toBe('x');
    expect(cache.getOrLoad('a', never)).toBe('x');
  });

  it('do not mind jumps of the wall clock', () => {
    const { cache, clock } = setup();
    cache.set('a', 1);
    clock.setEpoch(0);
    expect(cache.get('a')).toBe(1);
    clock.setEpoch(4e12);
    expect(cache.get('a')).toBe(1);
  });
});

describe('room', () => {
  it('is bounded in number: the least recently used goes first', () => {
    const { cache } = setup({ max: 3 });
    for (const key of ['a', 'b', 'c']) cache.set(key, key);
    cache.getOrLoad('a', never);
    cache.set('d', 'd');
    expect(['a', 'b', 'c', 'd'].map((key) => cache.has(key))).toEqual([true, false, true, true]);
    expect(cache.snapshot()).toMatchObject({ entries: 3, evictions: 1 });
  });

  it('is bounded by default, against a flood of keys that are asked for once', async () => {
    const { cache } = setup();
    for (let i = 0; i < 25_000; i += 1) cache.set(`once:${i}`, i, { tags: [`tag:${i}`] });
    expect(cache.snapshot()).toMatchObject({ entries: 10_000, max: 10_000, evictions: 15_000 });
    expect(cache.invalidateTags('tag:24999')).toBe(1);
    expect(cache.invalidateTags('tag:1')).toBe(0);
  });

  it('is bounded in bytes, by the measure of the user', () => {
    const { cache } = setup({ maxBytes: 100, sizeOf: (value) => (value as string).length });
    cache.set('a', 'x'.repeat(60));
    cache.set('b', 'x'.repeat(40));
    expect(cache.snapshot()).toMatchObject({ entries: 2, bytes: 100, maxBytes: 100, max: null });
    cache.set('c', 'x');
    expect(cache.has('a')).toBe(false);
    expect(cache.snapshot()).toMatchObject({ bytes: 41 });
    cache.set('b', 'x');
    expect(cache.snapshot()).toMatchObject({ bytes: 2 });
  });

  it('does not take a value that is larger than all of it, nor does that drive out the others', async () => {
    const { cache } = setup({ maxBytes: 1000 });
    cache.set('small', 1);
    cache.set('huge', 'old');
    const huge = 'x'.repeat(2000);
    expect(await cache.getOrLoad('other', () => huge)).toBe(huge);
    cache.set('huge', huge, { tags: ['t'] });
    expect(cache.invalidateTags('t')).toBe(0);
    expect(['small', 'other', 'huge'].map((key) => cache.has(key))).toEqual([true, false, false]);
  });

  it('counts long keys, whoever measures the values', () => {
    const { cache } = setup({ maxBytes: 1_000_000, sizeOf: () => 1 });
    for (let i = 0; i < 20; i += 1) cache.set(`${'k'.repeat(100_000)}${i}`, i);
    expect(cache.snapshot().entries).toBe(9);
  });

  it('is estimated for values of every kind, also when they go in a circle', () => {
    const { cache } = setup({ maxBytes: 10_000_000 });
    const bytesOf = (value: unknown): number => {
      cache.clear();
      cache.set('k', value);
      return cache.snapshot().bytes as number;
    };
    const circle: unknown[] = [];
    circle.push(circle, { circle });
    const trap = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => expect.fail('a getter was called'),
    });
    const base = bytesOf(1);
    expect(bytesOf('x'.repeat(1000))).toBeGreaterThan(base + 999);
    expect(bytesOf(new Uint8Array(5000))).toBeGreaterThan(base + 4999);
    expect(bytesOf(new ArrayBuffer(5000))).toBeGreaterThan(base + 4999);
    expect(bytesOf(new Map([['x'.repeat(500), 'y'.repeat(500)]]))).toBeGreaterThan(base + 999);
    expect(bytesOf(new Set(['y'.repeat(500)]))).toBeGreaterThan(base + 499);
    expect(bytesOf([['z'.repeat(500)]])).toBeGreaterThan(base + 499);
    expect(bytesOf({ [Symbol('s')]: 'z'.repeat(500) })).toBeGreaterThan(base + 499);
    expect(bytesOf(circle)).toBeLessThan(base + 200);
    expect(bytesOf(trap)).toBeLessThan(base + 200);
  });

  it('serves a value that cannot be measured, and does not keep it', async () => {
    const { cache } = setup({ maxBytes: 100, sizeOf: () => Number.NaN });
    expect(await cache.getOrLoad('a', () => 1)).toBe(1);
    expect(cache.has('a')).toBe(false);
    expect(cache.snapshot()).toMatchObject({ faults: 1 });
    expect(() => cache.set('a', 1)).toThrow(RangeError);
  });
});

describe('keys', () => {
  const hostile = [
    '__proto__',
    'constructor',
    'toString',
    '',
    ' ',
    '\0',
    '\0\0',
    'a:b',
    'a',
    ':',
    '🙈',
    '\ud800',
    'a\nb',
  ];

  it('may be any string, and none stands for another', async () => {
    const { cache } = setup();
    const names = [...hostile, 'k'.repeat(1_000_000), `${'k'.repeat(999_999)}l`];
    for (const name of names) {
      expect(await cache.getOrLoad(name, () => `value of ${name}`, { tags: [name] })).toBe(
        `value of ${name}`,
      );
    }
    for (const name of names) expect(cache.getOrLoad(name, never)).toBe(`value of ${name}`);
    for (const [index, name] of names.entries()) {
      expect(cache.invalidateTags(name)).toBe(1);
      expect(names.filter((each) => cache.has(each))).toHaveLength(names.length - index - 1);
    }
    expect(({} as Record<string, unknown>).value).toBeUndefined();
  });

  it('of namespaces never meet, whatever the names', () => {
    const name = fc.oneof(
      fc.constantFrom(...hostile),
      fc.string({ maxLength: 4 }),
      fc.constantFrom('\x001:a', '\0*'),
    );
    const place = fc.tuple(fc.array(name, { maxLength: 3 }), name);
    fc.assert(
      fc.property(place, place, ([path, key], [otherPath, otherKey]) => {
        const { cache } = setup({ max: 4 });
        const at = (names: readonly string[]): KeySpace =>
          names.reduce((space: KeySpace, each) => space.namespace(each), cache);
        at(path).set(key, 'mine');
        const same = JSON.stringify([path, key]) === JSON.stringify([otherPath, otherKey]);
        expect(at(otherPath).has(otherKey)).toBe(same);
      }),
      { numRuns: 2000 },
    );
  });

  it('made to look like those of a namespace are not, nor are such tags', () => {
    const { cache } = setup();
    const space = cache.namespace('a');
    cache.set('\x001:ak', 'outside', { tags: ['\x001:a\0*', '\x001:at'] });
    expect(space.has('k')).toBe(false);
    space.clear();
    expect(space.invalidateTags('t')).toBe(0);
    expect(cache.get('\x001:ak')).toBe('outside');
  });

  it('that are no strings are refused, as are such tags and namespaces', () => {
    const { cache } = setup();
    const wrong = 7 as unknown as string;
    expect(() => cache.getOrLoad(wrong, never)).toThrow(CacheKeyError);
    expect(() => cache.get(undefined as never)).toThrow(CacheKeyError);
    expect(() => cache.set(null as never, 1)).toThrow('got null');
    expect(() => cache.getMany(['a', wrong], never)).toThrow(CacheKeyError);
    expect(() => cache.set('a', 1, { tags: [wrong] })).toThrow(CacheKeyError);
    expect(() => cache.invalidateTags([wrong])).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_CACHE_KEY' }),
    );
    expect(() => cache.namespace(wrong)).toThrow(CacheKeyError);
  });
});

describe('namespaces', () => {
  it('have keys and tags of their own, and the same name is the same namespace', () => {
    const { cache } = setup();
    const users = cache.namespace('users');
    users.set('1', 'ada', { tags: ['team'] });
    cache.set('1', 'root', { tags: ['team'] });
    cache.namespace('books').set('1', 'book', { tags: ['team'] });
    expect(cache.namespace('users').get('1')).toBe('ada');
    expect(cache.namespace('books').invalidateTags('team')).toBe(1);
    expect([cache.has('1'), users.has('1')]).toEqual([true, true]);
  });

  it('are reached from outside by tag and by clear, from the innermost to the outermost', () => {
    const { cache } = setup();
    const outer = cache.namespace('a');
    const inner = outer.namespace('b');
    const fill = (): void => {
      for (const space of [cache, outer, inner]) space.set('k', 1, { tags: ['t'] });
    };
    const left = () => [cache, outer, inner].map((space) => space.has('k'));
    fill();
    inner.clear();
    expect(left()).toEqual([true, true, false]);
    fill();
    outer.clear();
    expect(left()).toEqual([true, false, false]);
    fill();
    expect(inner.invalidateTags('t')).toBe(1);
    expect(left()).toEqual([true, true, false]);
    fill();
    expect(outer.invalidateTags('t')).toBe(2);
    expect(left()).toEqual([true, false, false]);
    fill();
    expect(cache.invalidateTags('t')).toBe(3);
    expect(left()).toEqual([false, false, false]);
  });
});

describe('tags', () => {
  it('drop what carries any of them and nothing else', () => {
    const { cache } = setup();
    cache.set('a', 1, { tags: ['x', 'y'] });
    cache.set('b', 1, { tags: ['y', 'y'] });
    cache.set('c', 1, { tags: ['z'] });
    expect(cache.invalidateTags(['x', 'y'])).toBe(2);
    expect(['a', 'b', 'c'].map((key) => cache.has(key))).toEqual([false, false, true]);
    expect(cache.invalidateTags([])).toBe(0);
  });

  it('are those of the present value: one that was replaced leaves nothing behind', () => {
    const { cache } = setup();
    cache.set('a', 1, { tags: ['old'] });
    cache.set('a', 2, { tags: ['new'] });
    expect(cache.invalidateTags('old')).toBe(0);
    expect(cache.get('a')).toBe(2);
    expect(cache.invalidateTags('new')).toBe(1);
  });

  it('drop a value also within its grace: what was invalidated is never served stale', async () => {
    const { cache, clock } = setup({ grace: 1000 });
    cache.set('a', 'old', { tags: ['t'] });
    clock.advance(150);
    cache.invalidateTags('t');
    expect(cache.peek('a')).toBeUndefined();
    expect(await cache.getOrLoad('a', () => 'new')).toBe('new');
  });
});

describe('wrap', () => {
  it('makes a function that answers from the cache', async () => {
    const { cache } = setup();
    let calls = 0;
    const user = cache.wrap(
      async (id: number, part: string) => {
        calls += 1;
        return `${id}/${part}`;
      },
      { key: (id, part) => JSON.stringify([id, part]), tags: (id) => [`user:${id}`], ttl: 10 },
    );
    expect(await user(1, 'a')).toBe('1/a');
    expect(user(1, 'a')).toBe('1/a');
    expect(await user(2, 'a')).toBe('2/a');
    expect(calls).toBe(2);
    cache.invalidateTags('user:1');
    expect(await user(1, 'a')).toBe('1/a');
    expect(user(2, 'a')).toBe('2/a');
    expect(calls).toBe(3);
  });

  it('takes the same tags for all, and hands on what the function throws', async () => {
    const { cache } = setup();
    const fails = cache.wrap(
      () => {
        throw new Error('down');
      },
      { key: () => 'k', tags: ['t'] },
    );
    await expect(fails()).rejects.toThrow('down');
    const works = cache.wrap(() => 1, { key: () => 'k', tags: ['t'] });
    await works();
    expect(cache.invalidateTags('t')).toBe(1);
  });
});

describe('protect', () => {
  it('shares the value by default', () => {
    const { cache } = setup();
    const value = { a: 1 };
    cache.set('a', value);
    expect(cache.get('a')).toBe(value);
  });

  it('clones it for each caller: what one does to it, no other sees', async () => {
    const { cache } = setup({ protect: 'clone', grace: 100 });
    const source = { list: [1] };
    const load = (): Promise<{ list: number[] }> => cache.getOrLoad('a', async () => source) as never;
    const [first, second] = await Promise.all([load(), load()]);
    first.list.push(2);
    source.list.push(3);
    const got = cache.get<{ list: number[] }>('a')!;
    got.list.push(4);
    expect(second).toEqual({ list: [1] });
    expect(cache.getOrLoad('a', never)).toEqual({ list: [1] });
    expect(cache.peek('a')?.value).toEqual({ list: [1] });
    expect(cache.getMany(['a'], never)).toEqual([{ list: [1] }]);
  });

  it('freezes it deeply, whatever its shape', async () => {
    const { cache } = setup({ protect: 'freeze' });
    const value: Record<string, unknown> = { list: [{ a: 1 }], bytes: new Uint8Array(2), map: new Map() };
    value.self = value;
    Object.defineProperty(value, 'trap', { enumerable: true, get: () => expect.fail('a getter was called') });
    const got = (await cache.getOrLoad('a', () => value)) as { list: { a: number }[]; bytes: Uint8Array };
    expect(() => void (got.list[0]!.a = 2)).toThrow(TypeError);
    expect(() => void got.list.push({ a: 3 })).toThrow(TypeError);
    got.bytes[0] = 1;
    cache.set('b', 'text');
    expect(cache.get('b')).toBe('text');
  });

  it('rejects, and keeps nothing of, a value that cannot be cloned', async () => {
    const { cache } = setup({ protect: 'clone' });
    await expect(cache.getOrLoad('a', () => () => 1)).rejects.toThrow();
    expect(cache.has('a')).toBe(false);
    cache.set('a', 1);
    expect(() => cache.set('a', () => 1)).toThrow();
    expect(cache.get('a')).toBe(1);
  });
});

describe('options', () => {
  it.each<[string, unknown]>([
    ['ttl', undefined],
    ['ttl', 0],
    ['ttl', -1],
    ['ttl', Number.NaN],
    ['ttl', '1 minute'],
    ['max', 0],
    ['max', 1.5],
    ['max', 2 ** 24 + 1],
    ['maxBytes', 0],
    ['maxBytes', Number.POSITIVE_INFINITY],
    ['sizeOf', 8],
    ['grace', -1],
    ['jitter', 1.1],
    ['jitter', Number.NaN],
    ['earlyRefresh', -1],
    ['earlyRefresh', 101],
    ['softTimeout', -1],
    ['hardTimeout', 0],
    ['hardTimeout', '25d'],
    ['negativeTtl', -1],
    ['errorTtl', 'soon'],
    ['protect', 'copy'],
    ['random', 0.5],
    ['name', ''],
    ['remote', {}],
    ['bus', null],
    ['remoteTimeout', 0],
    ['lockWait', -1],
    ['suspectTtl', 0],
    ['ttls', 1],
  ])('refuses %s: %j', (option, value) => {
    const make = (): unknown => createCache({ ttl: 1, [option]: value } as never);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(expect.objectContaining({ option }));
  });

  it('refuses anything but an object', () => {
    expect(() => createCache(undefined as never)).toThrow(InvalidOptionError);
    expect(() => createCache([] as never)).toThrow(InvalidOptionError);
  });

  it('does not keep the object it was given, nor change it', () => {
    const options = Object.freeze({ ttl: 100, clock: new ManualClock(), max: 1 });
    const cache = createCache(options);
    cache.set('a', 1);
    expect(cache.get('a')).toBe(1);
  });

  it('of wrap must say how to make a key', () => {
    const { cache } = setup();
    expect(() => cache.wrap(() => 1, {} as never)).toThrow(expect.objectContaining({ option: 'key' }));
  });

  it('of a call are checked when they count', () => {
    const { cache } = setup();
    const wrong = { ttl: -1 };
    expect(() => cache.set('a', 1, wrong)).toThrow(expect.objectContaining({ option: 'ttl' }));
    expect(() => cache.getOrLoad('a', never, wrong)).toThrow(InvalidOptionError);
    expect(() => cache.getOrLoad('a', never, { hardTimeout: 0 })).toThrow(InvalidOptionError);
    expect(() => cache.getMany(['a'], never, { grace: -1 })).toThrow(InvalidOptionError);
    expect(cache.snapshot()).toMatchObject({ loadsInFlight: 0 });
  });
});

describe('as a component', () => {
  it('has a name of its own or the given one', () => {
    expect(createCache({ ttl: 1, name: 'users' })).toMatchObject({ kind: 'cache', name: 'users' });
    expect(createCache({ ttl: 1 }).name).toMatch(/^cache-\d+$/);
  });

  it('shows counts, no keys and no values', async () => {
    const { cache, clock } = setup({ grace: 100, name: 'n', maxBytes: 10_000 });
    await Promise.all([cache.getOrLoad('secret', async () => 'hidden'), cache.getOrLoad('secret', never)]);
    cache.getOrLoad('secret', never);
    clock.advance(100);
    cache.getOrLoad('secret', () => 'hidden');
    await cache.getOrLoad('other', () => Promise.reject(new Error('down'))).catch(() => {});
    cache.delete('secret');
    const snapshot = cache.snapshot();
    expect(snapshot).toMatchObject({
      hit: 1,
      stale: 1,
      miss: 2,
      coalesced: 1,
      loadErrors: 1,
      invalidations: 1,
    });
    expect(snapshot).toMatchObject({ entries: 0, loadsInFlight: 0, hitRate: 0.4 });
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(JSON.stringify([snapshot, cache.metrics()])).not.toMatch(/secret|hidden/);
    expect(createCache({ ttl: 1 }).snapshot()).toMatchObject({ hitRate: null, bytes: null });
  });

  it('measures what it did', async () => {
    const { cache, clock } = setup({ name: 'n', maxBytes: 10_000 });
    await cache.getOrLoad('a', () => void clock.advance(30));
    cache.getOrLoad('a', never);
    const samples = cache.metrics();
    const value = (name: string, labels = {}): unknown =>
      samples.find(
        (sample) =>
          sample.name === `weir_cache_${name}` &&
          Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted),
      );
    for (const sample of samples) {
      expect(sample.name).toMatch(/^weir_cache_[a-z_]+$/);
      expect(sample.labels.cache).toBe('n');
      expect(sample.help).toMatch(/\.$/);
    }
    expect(value('requests_total', { result: 'hit' })).toMatchObject({ type: 'counter', value: 1 });
    expect(value('requests_total', { result: 'miss' })).toMatchObject({ value: 1 });
    expect(value('entries')).toMatchObject({ type: 'gauge', value: 1 });
    expect(value('bytes')).toMatchObject({ value: cache.snapshot().bytes });
    const seconds = value('load_seconds') as { bounds: number[]; counts: number[]; sum: number };
    expect(seconds.sum).toBeCloseTo(0.03);
    expect(seconds.counts).toHaveLength(seconds.bounds.length + 1);
    expect(seconds.counts[seconds.bounds.indexOf(0.05)]).toBe(1);
  });

  it('lets an operator clear it and invalidate a tag, and checks what comes', async () => {
    const { cache } = setup();
    cache.set('a', 1, { tags: ['t'] });
    cache.set('b', 1);
    await expect(cache.actions?.invalidateTags?.(7)).rejects.toThrow(InvalidOptionError);
    await cache.actions?.invalidateTags?.('t');
    expect([cache.has('a'), cache.has('b')]).toEqual([false, true]);
    await cache.actions?.clear?.();
    expect(cache.has('b')).toBe(false);
  });
});

describe('a trace of calls', () => {
  it('agrees with a naive model', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const tag = fc.constantFrom('x', 'y');
    const step = fc.oneof(
      fc.record({
        do: fc.constant('set'),
        key,
        tags: fc.array(tag, { maxLength: 2 }),
        ttl: fc.integer({ min: 0, max: 60 }),
      }),
      fc.record({ do: fc.constantFrom('get', 'delete', 'expire'), key }),
      fc.record({ do: fc.constant('tags'), tag }),
      fc.record({ do: fc.constant('clear') }),
      fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 0, max: 40 }) }),
    );
    interface Step {
      do: string;
      key: string;
      tags: string[];
      tag: string;
      ttl: number;
      ms: number;
    }
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 20), (steps, grace) => {
        const { cache, clock } = setup({ max: 3, grace });
        /** In order of use. */
        let model: { key: string; value: number; tags: string[]; end: number }[] = [];
        const find = (name: string) => model.find((each) => each.key === name);
        const drop = (name: string): void => void (model = model.filter((each) => each.key !== name));
        for (const [value, each] of (steps as Step[]).entries()) {
          const now = clock.now();
          const known = find(each.key);
          const alive = known !== undefined && now < known.end + grace;
          if (each.do === 'set') {
            cache.set(each.key, value, { tags: each.tags, ttl: each.ttl });
            drop(each.key);
            if (each.ttl > 0) model.push({ key: each.key, value, tags: each.tags, end: now + each.ttl });
            if (model.length > 3) model.shift();
          } else if (each.do === 'get') {
            expect(cache.get(each.key)).toBe(
              known !== undefined && now < known.end ? known.value : undefined,
            );
            if (known !== undefined) model = [...model.filter((other) => other !== known), known];
          } else if (each.do === 'delete') {
            expect(cache.delete(each.key)).toBe(alive);
            drop(each.key);
          } else if (each.do === 'expire') {
            expect(cache.expire(each.key)).toBe(alive);
            if (known !== undefined) known.end = Math.min(known.end, now);
          } else if (each.do === 'tags') {
            expect(cache.invalidateTags(each.tag)).toBe(
              model.filter(({ tags }) => tags.includes(each.tag)).length,
            );
            model = model.filter(({ tags }) => !tags.includes(each.tag));
          } else if (each.do === 'clear') {
            cache.clear();
            model = [];
          } else clock.advance(each.ms);
          for (const name of ['a', 'b', 'c', 'd']) {
            const there = find(name);
            const served = there !== undefined && clock.now() < there.end + grace ? there.value : undefined;
            expect(cache.peek(name)?.value).toBe(served);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
