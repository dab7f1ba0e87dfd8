import { InvalidOptionError } from '@weir/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRing, diff, directoryShards, hashKey, hashShards, rangeShards } from '../src/index.ts';
import { awkward, keys } from './contract.ts';

describe('hashShards', () => {
  test('a key lies in the partition that its hash, scaled, says', () => {
    const shards = hashShards(['a', 'b', 'c'], { partitions: 64 });
    for (const key of keys) {
      const partition = shards.partition(key);
      expect(partition).toBe(Math.floor((hashKey(key) / 2 ** 32) * 64));
      expect(shards.get(key)).toBe(shards.owner(partition));
      expect(shards.partitionsOf(shards.get(key)!)).toContain(partition);
    }
    expect(shards.owner(64)).toBeUndefined();
    expect(shards.partitionsOf('x')).toEqual([]);
  });

  test('partitions are dealt out by weight, to within one, and a change moves as few as can be', () => {
    const shard = fc.record({
      id: fc.string({ minLength: 1, maxLength: 3 }),
      weight: fc.integer({ min: 1, max: 5 }),
    });
    const list = fc.uniqueArray(shard, { selector: ({ id }) => id, minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(list, fc.integer({ min: 1, max: 100 }), (members, partitions) => {
        const even = (table: ReturnType<typeof hashShards<(typeof members)[number]>>) => {
          const total = table.members.reduce((sum, { weight }) => sum + weight, 0);
          for (const { id, weight } of table.members) {
            expect(Math.abs(table.partitionsOf(id).length - (partitions * weight) / total)).toBeLessThan(1);
          }
        };
        const [last] = members.slice(-1);
        const before = hashShards(members.slice(0, -1), { partitions });
        const after = before.with(last!);
        even(before);
        even(after);
        const moved = after.assignments.filter((id, i) => id !== before.assignments[i]).length;
        const gained = after.members.reduce((sum, { id }) => {
          return sum + Math.max(0, after.partitionsOf(id).length - before.partitionsOf(id).length);
        }, 0);
        expect(moved).toBe(gained);
        even(after.without(members[0]!.id));
      }),
    );
  });

  test('one partition moves alone', () => {
    const shards = hashShards(['a', 'b'], { partitions: 8 });
    const partition = shards.partitionsOf('a')[0]!;
    const moved = shards.move(partition, 'b');
    expect(moved.partitionsOf('b')).toContain(partition);
    expect(diff(shards, moved)).toMatchObject({ share: 1 / 8, moves: [{ from: 'a', to: 'b' }] });
    expect(moved.version).not.toBe(shards.version);
    expect(shards.partitionsOf('a')).toContain(partition);
  });

  test('another process agrees once it has the assignments', () => {
    const here = hashShards(['a', 'b'], { partitions: 16 }).with('c').without('a').move(3, 'c');
    const there = hashShards(['c', 'b'], { assignments: JSON.parse(JSON.stringify(here.assignments)) });
    for (const key of keys) expect(there.get(key)).toBe(here.get(key));
    expect(there.version).toBe(here.version);
  });

  test.each([
    ['no partitions', () => hashShards(['a'], { partitions: 0 })],
    ['too many', () => hashShards(['a'], { partitions: 65_537 })],
    ['assignments of another length', () => hashShards(['a'], { partitions: 2, assignments: ['a'] })],
    ['a move of no partition', () => hashShards(['a'], { partitions: 2 }).move(2, 'a')],
    ['a move to no shard', () => hashShards(['a'], { partitions: 2 }).move(1, 'b')],
    ['an unknown option', () => hashShards(['a'], { size: 2 } as never)],
  ])('refuses %s', (_what, make) => {
    expect(make).toThrow(InvalidOptionError);
  });
});

describe('rangeShards', () => {
  const shards = rangeShards([
    { start: 'm', end: 't', shard: 'two' },
    { end: 'm', shard: 'one' },
    { start: 't', shard: 'three' },
  ]);

  test('a key belongs to the range that it lies in, bounds to the upper one', () => {
    expect(['', 'a', 'lz', 'm', 's', 't', 'zz', 'ключ'].map((key) => shards.get(key))).toEqual([
      'one',
      'one',
      'one',
      'two',
      'two',
      'three',
      'three',
      'three',
    ]);
  });

  test('finds what a search from end to end finds', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer(), { minLength: 2, maxLength: 20 }),
        fc.integer(),
        (numbers, key) => {
          const bounds = numbers.toSorted((a, b) => a - b);
          const ranges = bounds.slice(1).map((end, i) => ({ start: bounds[i]!, end, shard: `s${i}` }));
          const naive = ranges.find(({ start, end }) => start <= key && key < end)?.shard;
          expect(rangeShards(ranges.toReversed()).get(key)).toBe(naive);
          expect(rangeShards(ranges).get(BigInt(key))).toBe(naive);
          expect(rangeShards(ranges).get(bounds[0]! - 1)).toBeUndefined();
          expect(rangeShards(ranges).get(bounds.at(-1)!)).toBeUndefined();
        },
      ),
    );
  });

  test('splits and merges, and back again', () => {
    const split = shards.split('p', 'four');
    expect([split.get('o'), split.get('p'), split.get('t')]).toEqual(['two', 'four', 'three']);
    expect(split.merge('p').version).toBe(shards.version);
    expect(split.merge('p', 'five').get('p')).toBe('five');
    expect(shards.get('p')).toBe('two');
    expect(
      rangeShards([{ shard: 'all' }])
        .split(5, 'upper')
        .get(7),
    ).toBe('upper');
  });

  test.each(['m', 't'])('refuses to split at the bound %s', (at) => {
    expect(() => shards.split(at, 'x')).toThrow(/a key inside a range/);
  });

  test('refuses to split outside, by another type, or to merge where nothing meets', () => {
    expect(() => rangeShards([{ start: 1, end: 5, shard: 'a' }]).split(5, 'x')).toThrow(InvalidOptionError);
    expect(() => rangeShards([{ start: 1, end: 5, shard: 'a' }]).split(0, 'x')).toThrow(InvalidOptionError);
    expect(() => shards.split(5, 'x')).toThrow(InvalidOptionError);
    expect(() => shards.merge('p')).toThrow(InvalidOptionError);
    expect(() => rangeShards([{ start: 1, end: 5, shard: 'a' }]).merge(5)).toThrow(InvalidOptionError);
  });

  test.each([
    [
      'a gap',
      [
        { end: 'a', shard: 1 },
        { start: 'b', shard: 2 },
      ],
      /without a gap/,
    ],
    [
      'an overlap',
      [
        { end: 'c', shard: 1 },
        { start: 'b', shard: 2 },
      ],
      /do not overlap/,
    ],
    [
      'two without a lower bound',
      [
        { end: 'b', shard: 1 },
        { end: 'c', shard: 2 },
      ],
      /do not overlap/,
    ],
    [
      'two without an upper bound',
      [
        { start: 'b', shard: 1 },
        { start: 'c', shard: 2 },
      ],
      /do not overlap/,
    ],
    [
      'twins',
      [
        { start: 'b', end: 'c', shard: 1 },
        { start: 'b', end: 'c', shard: 2 },
      ],
      /do not overlap/,
    ],
    ['an empty range', [{ start: 'b', end: 'b', shard: 1 }], /start < end/],
    ['a range backwards', [{ start: 'b', end: 'a', shard: 1 }], /start < end/],
    ['text and numbers', [{ start: 1, end: 'a' as never, shard: 1 }], /not by both/],
    ['NaN', [{ start: Number.NaN, shard: 1 }], /a string, a number or a bigint/],
    ['an unknown member', [{ from: 1, shard: 1 } as never], /`from`/],
    ['no list', 'ranges' as never, /an array/],
  ])('refuses %s', (_what, ranges, message) => {
    expect(() => rangeShards(ranges)).toThrow(message);
  });

  test('refuses a key that cannot be compared, and knows nothing without ranges', () => {
    expect(() => shards.get(5)).toThrow(InvalidOptionError);
    expect(() => rangeShards([{ start: 1, shard: 'a' }]).get('5')).toThrow(InvalidOptionError);
    expect(rangeShards([]).get('a')).toBeUndefined();
    expect(rangeShards([{ shard: 'all' }]).get('a')).toBe('all');
  });
});

describe('directoryShards', () => {
  const fallback = createRing(['a', 'b']);
  const shards = directoryShards([['big', 'own']], { fallback });

  test('a listed key is where it is listed, any other where the fallback says', () => {
    expect(shards.get('big')).toBe('own');
    for (const key of [...keys, ...awkward]) expect(shards.get(key)).toBe(fallback.get(key));
    expect(directoryShards([]).get('x')).toBeUndefined();
    expect(directoryShards([['42', 'x']]).get(42)).toBe('x');
    expect(directoryShards([['42', 'x']]).get(42n)).toBe('x');
    expect(directoryShards([['42', 'x']]).get(new Uint8Array([52, 50]))).toBeUndefined();
  });

  test('entries named like members of Object.prototype are entries', () => {
    const odd = directoryShards(awkward.map((key) => [key, `at ${key.slice(0, 9)}`]));
    for (const key of awkward) expect(odd.get(key)).toBe(`at ${key.slice(0, 9)}`);
    expect(directoryShards([]).get('__proto__')).toBeUndefined();
  });

  test('assigning and unassigning make another directory', () => {
    const more = shards.assign([
      ['small', 'own'],
      ['big', 'other'],
    ]);
    expect([more.get('small'), more.get('big'), more.size]).toEqual(['own', 'other', 2]);
    expect([shards.get('big'), shards.size]).toEqual(['own', 1]);
    expect(more.unassign('big').get('big')).toBe(fallback.get('big'));
    expect(more.unassign('small').assign([['big', 'own']]).version).toBe(shards.version);
    expect(more.version).not.toBe(shards.version);
    expect(directoryShards([['big', 'own']]).version).not.toBe(shards.version);
  });

  test.each([
    ['an empty key', () => directoryShards([['', 'x']])],
    ['a key that is no text', () => directoryShards([[5 as never, 'x']])],
    ['a fallback that is none', () => directoryShards([], { fallback: {} as never })],
    ['an unknown option', () => directoryShards([], { default: 'x' } as never)],
  ])('refuses %s', (_what, make) => {
    expect(make).toThrow(InvalidOptionError);
  });
});
