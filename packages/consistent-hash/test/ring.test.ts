import { InvalidOptionError } from '@weir/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashBytes } from '../src/hash-key.ts';
import { createRing, diff, hashKey } from '../src/index.ts';
import { mix } from '../src/internal/murmur3.ts';
import { keys } from './contract.ts';

interface Node {
  readonly id: string;
  readonly weight: number;
}

/** The documented rule, written down as plainly as can be. */
const model = (nodes: readonly Node[], vnodes: number) => {
  const points = nodes.flatMap(({ id, weight }) => {
    const a = hashBytes(id, 0);
    const b = hashBytes(id, 28_956) | 1;
    const count = weight === 0 ? 0 : Math.max(1, Math.round(weight * vnodes));
    return Array.from({ length: count }, (_, i) => ({ id, hash: mix((a + Math.imul(i, b)) | 0) >>> 0 }));
  });
  points.sort((a, b) => a.hash - b.hash || (a.id < b.id ? -1 : 1));
  return (key: string) => (points.find(({ hash }) => hash >= hashKey(key)) ?? points[0])?.id;
};

const id = fc.string({ minLength: 1, maxLength: 6 });
const weight = fc.oneof(fc.constant(1), fc.constant(0), fc.double({ min: 0.001, max: 5, noNaN: true }));
const list = fc.uniqueArray(fc.record({ id, weight }), { selector: (each) => each.id, maxLength: 12 });

test('follows the documented rule', () => {
  fc.assert(
    fc.property(list, fc.integer({ min: 1, max: 50 }), (nodes, vnodes) => {
      const ring = createRing(nodes, { vnodes });
      const ownerOf = model(nodes, vnodes);
      for (const key of keys.slice(0, 60)) expect(ring.get(key)?.id).toBe(ownerOf(key));
    }),
  );
});

test('is the same ring however it came about', () => {
  fc.assert(
    fc.property(
      list,
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.nat({ max: 11 }), { maxLength: 25 }),
      (nodes, vnodes, changes) => {
        let present = nodes.slice(0, 3);
        let ring = createRing(present, { vnodes });
        for (const change of changes) {
          const node = nodes[change];
          if (node === undefined) continue;
          const there = present.includes(node);
          present = there ? present.filter((each) => each !== node) : [...present, node];
          ring = there ? ring.without(node.id) : ring.with(node);
        }
        const anew = createRing(present, { vnodes });
        expect(ring.size).toBe(present.length);
        expect(ring.version).toBe(anew.version);
        for (const key of keys.slice(0, 60)) expect(ring.get(key)).toBe(anew.get(key));
        for (const { id: each } of present) expect(ring.ranges(each)).toEqual(anew.ranges(each));
      },
    ),
    { numRuns: 150 },
  );
});

test('a node that comes or goes moves exactly what it owns, and nothing else, whatever the weights', () => {
  fc.assert(
    fc.property(list, fc.integer({ min: 1, max: 50 }), (nodes, vnodes) => {
      const [changed, ...others] = nodes;
      if (changed === undefined) return;
      const without = createRing(others, { vnodes });
      const joined = without.with(changed);
      const owned = joined.stats().shares.find((share) => share.id === changed.id)?.share;
      for (const { moves, share, side } of [
        { ...diff(without, joined), side: 'to' as const },
        { ...diff(joined, joined.without(changed.id)), side: 'from' as const },
      ]) {
        expect(moves.filter((move) => move[side] !== changed.id)).toEqual([]);
        expect(share).toBeCloseTo(owned!, 9);
      }
    }),
    { numRuns: 200 },
  );
});

test('survives a thousand changes in a row', () => {
  const nodes = Array.from({ length: 60 }, (_, i) => `node-${i}`);
  let ring = createRing(nodes.slice(0, 30));
  const present = new Set(nodes.slice(0, 30));
  for (let i = 0; i < 1000; i += 1) {
    const node = nodes[(i * 37) % 60]!;
    ring = present.delete(node) ? ring.without(node) : ring.with(node);
    if (ring.size > present.size) present.add(node);
  }
  const anew = createRing([...present]);
  for (const key of keys) expect(ring.get(key)).toBe(anew.get(key));
  for (const node of present) expect(ring.ranges(node)).toEqual(anew.ranges(node));
});

describe('two nodes with the same point', () => {
  // Among 400,000 random points a few coincide; these are found rather than forced.
  const nodes = Array.from({ length: 1000 }, (_, i) => `n${i}`);
  const owners = new Map<number, string[]>();
  for (const node of nodes) {
    const b = hashBytes(node, 28_956) | 1;
    for (let i = 0, x = hashBytes(node, 0); i < 400; i += 1, x = (x + b) | 0) {
      const point = mix(x) >>> 0;
      owners.set(point, [...(owners.get(point) ?? []), node]);
    }
  }
  const twins = [...owners].filter(([, ids]) => ids.length > 1);
  const ownerAt = (ring: ReturnType<typeof createRing<string>>, point: number) =>
    nodes.find((node) => ring.ranges(node)?.some(({ start, end }) => start <= point && point < end));

  test('there are some', () => {
    expect(twins.length).toBeGreaterThan(0);
  });

  test.each(twins)(
    'at %s, the lesser id owns it, whoever came first, and the other one when it has gone',
    (point, [a, b]) => {
      const [lesser, greater] = [a!, b!].sort() as [string, string];
      const options = { vnodes: 400 };
      expect(ownerAt(createRing([lesser, greater], options), point)).toBe(lesser);
      expect(ownerAt(createRing([lesser], options).with(greater), point)).toBe(lesser);
      expect(ownerAt(createRing([greater], options).with(lesser), point)).toBe(lesser);
      expect(ownerAt(createRing([lesser, greater], options).without(lesser), point)).toBe(greater);
      expect(ownerAt(createRing([lesser, greater, 'x'], options).without(greater), point)).toBe(lesser);
    },
  );
});

test('a key whose hash is a point belongs to that point', () => {
  const ring = createRing(['a', 'b', 'c'], { vnodes: 8 });
  ring.eachRange((id, _start, end) => {
    if (end === 2 ** 32) return;
    const point = (end as number) - 1;
    expect(ring.ranges(id)!.some(({ start, end: to }) => start <= point && point < to)).toBe(true);
  });
});

test('a changed weight moves only the difference', () => {
  const ring = createRing([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
  const heavier = ring.without('b').with({ id: 'b', weight: 2 });
  for (const key of keys) {
    if (heavier.get(key)!.id !== 'b') expect(heavier.get(key)!.id).toBe(ring.get(key)!.id);
    if (ring.get(key)!.id === 'b') expect(heavier.get(key)!.id).toBe('b');
  }
});

test('shares follow weights', () => {
  const ring = createRing(
    [1, 2, 3, 4, 5].map((each) => ({ id: `w${each}`, weight: each })),
    { vnodes: 512 },
  );
  const { shares } = ring.stats();
  for (const { share, weight: each } of shares) expect(Math.abs(share / (each / 15) - 1)).toBeLessThan(0.08);
});

test('a tiny weight owns something', () => {
  const { shares } = createRing([
    { id: 'a', weight: 1e-9 },
    { id: 'b', weight: 100 },
  ]).stats();
  expect(shares[0]!.share).toBeGreaterThan(0);
});

describe.each<[string, (i: number) => string]>([
  ...[
    'node',
    'node-',
    'n',
    's',
    'server',
    'server-',
    'host',
    'cache-',
    'db-',
    'shard-',
    'worker-',
    'api-',
  ].map((prefix): [string, (i: number) => string] => [`${prefix}0`, (i) => `${prefix}${i}`]),
  ['10.0.0.1', (i) => `10.0.0.${i + 1}`],
  ['10.0.0.1:8080', (i) => `10.0.0.${i + 1}:8080`],
  ['10.0.1.1:11211', (i) => `10.0.1.${i + 1}:11211`],
  ['http://10.0.0.1:80', (i) => `http://10.0.0.${i + 1}:80`],
  ['http://127.0.0.1:3000', (i) => `http://127.0.0.1:${3000 + i}`],
  ['node-000', (i) => `node-${String(i).padStart(3, '0')}`],
])('with 512 points each, nodes called %s and so on', (_first, name) => {
  test.each([
    [10, 1.1],
    [100, 1.15],
  ])('%i of them have at most %f times the mean', (count, most) => {
    const nodes = Array.from({ length: count }, (_, i) => name(i));
    expect(createRing(nodes, { vnodes: 512 }).stats().maxLoad).toBeLessThanOrEqual(most);
  });
});

test.each([
  ['vnodes of 0', () => createRing(['a'], { vnodes: 0 })],
  ['vnodes of 1.5', () => createRing(['a'], { vnodes: 1.5 })],
  ['vnodes as text', () => createRing(['a'], { vnodes: '10' as never })],
  ['too many points', () => createRing([{ id: 'a', weight: 1e9 }])],
  ['too many points in the end', () => createRing(['a']).with({ id: 'b', weight: 1e9 } as never)],
  ['an unknown option', () => createRing(['a'], { replicas: 3 } as never)],
])('refuses %s', (_what, make) => {
  expect(make).toThrow(InvalidOptionError);
});
