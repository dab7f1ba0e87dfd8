import { InvalidOptionError } from '@weir/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKetama, createMaglev, createRing, type Topology } from '../src/index.ts';
import { awkward, contenders, keys } from './contract.ts';

const id = fc.string({ minLength: 1, maxLength: 8 });
const weight = fc.oneof(
  fc.constant(1),
  fc.integer({ min: 1, max: 9 }),
  fc.double({ min: 0.5, max: 8, noNaN: true }),
);
const node = fc.record({ id, weight });
const nodes = fc.uniqueArray(node, { selector: (each) => each.id, minLength: 1, maxLength: 9 });

const placements = (topology: Topology<unknown>) => keys.map((key) => topology.get(key));
const idsOf = (topology: Topology<{ id: string }>) => keys.map((key) => topology.get(key)?.id);

describe.each(contenders)('$name', ({ strings, objects, orderless, minimal }) => {
  test('without nodes owns nothing and refuses nothing', () => {
    const empty = strings([]);
    expect(empty.get('a')).toBeUndefined();
    expect(empty.getN('a', 3)).toEqual([]);
    expect(empty.find('a', () => true)).toBeUndefined();
    expect(empty.size).toBe(0);
    expect(empty.members).toEqual([]);
    expect(empty.ranges('a') ?? []).toEqual([]);
    expect(empty.stats()).toEqual({ size: 0, maxLoad: 0, minLoad: 0, shares: [] });
    expect(empty.without('a')).toBe(empty);
    expect(empty.with('a').get('key')).toBe('a');
  });

  test('a node of weight 0 owns nothing, also alone and after the last other one has gone', () => {
    expect(objects([{ id: 'a', weight: 0 }]).get('key')).toBeUndefined();
    const two = objects([
      { id: 'a', weight: 0 },
      { id: 'b', weight: 1 },
    ]);
    expect(new Set(idsOf(two))).toEqual(new Set(['b']));
    expect(two.getN('key', 5).map((each) => each.id)).toEqual(['b']);
    expect(two.without('b').get('key')).toBeUndefined();
    expect(two.without('b').getN('key', 2)).toEqual([]);
    expect(two.without('b').with({ id: 'c', weight: 1 }).get('key')).toEqual({ id: 'c', weight: 1 });
  });

  test('gives nodes back as they were given', () => {
    expect(strings(['a']).get('key')).toBe('a');
    const given = { id: 'a', weight: 2, url: new URL('http://a') };
    expect(objects([given]).get('key')).toBe(given);
    expect(objects([given]).getN('key', 1)[0]).toBe(given);
    expect(objects([given]).members).toEqual([{ id: 'a', weight: 2, node: given }]);
  });

  test('neither keeps nor changes the list it was given', () => {
    const list = ['b', 'a', 'c'];
    const topology = strings(Object.freeze(list));
    expect(topology.with('d').size).toBe(4);
    expect(topology.size).toBe(3);
    const mutable = [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 1 },
    ];
    const before = objects(mutable);
    const owners = idsOf(before);
    mutable[0]!.weight = 100;
    mutable.pop();
    expect(idsOf(before)).toEqual(owners);
    expect(before.stats().shares.map((share) => share.weight)).toEqual([1, 1]);
  });

  test.each([
    ['a list with a twin', () => strings(['a', 'b', 'a'])],
    ['a twin added', () => strings(['a', 'b']).with('a')],
    ['a negative weight', () => objects([{ id: 'a', weight: -1 }])],
    ['a weight that is no number', () => objects([{ id: 'a', weight: Number.NaN }])],
    ['an infinite weight', () => objects([{ id: 'a', weight: Number.POSITIVE_INFINITY }])],
    ['a weight as text', () => objects([{ id: 'a', weight: '2' as never }])],
    ['an empty id', () => strings([''])],
    ['a node without an id', () => objects([{} as never])],
    ['a number for a node', () => strings([1 as never])],
    ['null for a node', () => strings([null as never])],
    ['no list', () => strings('abc' as never)],
    ['a wrong weight added', () => objects([{ id: 'a' }]).with({ id: 'b', weight: -1 })],
  ])('refuses %s', (_what, make) => {
    expect(make).toThrow(InvalidOptionError);
  });

  test('a refused change leaves the topology as it was', () => {
    const topology = strings(['a', 'b', 'c']);
    const before = placements(topology);
    expect(() => topology.with('a')).toThrow(/`node.id` must be one that no other node has, got 'a'/);
    expect(placements(topology)).toEqual(before);
  });

  test('places awkward keys, always on the same node', () => {
    const topology = strings(['a', 'b', 'c']);
    const same = strings(['c', 'a', 'b']);
    for (const key of ['', ...awkward]) {
      expect(topology.get(key)).toBe(same.get(key));
      expect(topology.get(key)).toBe(topology.get(new TextEncoder().encode(key)));
    }
    // Long and of many lengths, so that a third of the owners would differ if bytes were lost.
    for (let length = 1000; length < 1060; length += 1) {
      for (const key of ['x'.repeat(length), 'é'.repeat(length - 999)]) {
        expect(topology.get(key)).toBe(topology.get(new TextEncoder().encode(key)));
      }
    }
    expect(topology.get('\ud800')).toBe(topology.get('\ufffd'));
    expect(topology.get(new Uint8Array([0xff, 0xfe, 0]))).toBe(topology.get(Buffer.from([0xff, 0xfe, 0])));
    expect(topology.get(new TextEncoder().encode('ключ'))).toBe(topology.get('ключ'));
    expect(topology.get(42)).toBe(topology.get('42'));
    expect(topology.get(42n)).toBe(topology.get('42'));
  });

  test.each([undefined, null, {}, Symbol('key'), true])('refuses %s as a key', (key) => {
    expect(() => strings(['a', 'b']).get(key as never)).toThrow(InvalidOptionError);
  });

  test('takes awkward ids, and leaves Object.prototype alone', () => {
    const before = Reflect.ownKeys(Object.prototype);
    const topology = strings(awkward.slice(0, -1));
    expect(topology.getN('key', 100)).toHaveLength(awkward.length - 1);
    for (const name of awkward.slice(0, -1)) {
      expect(topology.without(name).size).toBe(awkward.length - 2);
      expect(topology.without(name).getN('key', 100)).not.toContain(name);
    }
    expect(Reflect.ownKeys(Object.prototype)).toEqual(before);
  });

  test('does not confuse ids that read the same when joined to a number', () => {
    const topology = objects([{ id: 's1' }, { id: 's11' }, { id: 's1-1' }, { id: 's' }]);
    for (const { share } of topology.stats().shares) expect(share).toBeGreaterThan(0.05);
  });

  test('getN gives different nodes, the owner first, and no more than there are', () => {
    const topology = strings(['a', 'b', 'c', 'd', 'e']);
    for (const key of keys) {
      const found = topology.getN(key, 3);
      expect(found[0]).toBe(topology.get(key));
      expect(new Set(found).size).toBe(3);
      expect(topology.getN(key, 9).slice(0, 3)).toEqual(found);
      expect(topology.getN(key, 9).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
    }
    expect(topology.getN('key', 0)).toEqual([]);
    expect(() => topology.getN('key', -1)).toThrow(InvalidOptionError);
    expect(() => topology.getN('key', 1.5)).toThrow(InvalidOptionError);
  });

  test('getN with distinct takes one node of each zone', () => {
    const topology = objects([
      { id: 'a', zone: 1 },
      { id: 'b', zone: 1 },
      { id: 'c', zone: 2 },
      { id: 'd', zone: 2 },
      { id: 'e', zone: 3 },
    ]);
    for (const key of keys) {
      const zones = topology.getN(key, 3, { distinct: (each) => each.zone }).map((each) => each.zone);
      expect(zones.toSorted()).toEqual([1, 2, 3]);
      expect(topology.getN(key, 4, { distinct: (each) => each.zone })).toHaveLength(3);
    }
  });

  test('find asks each node once, in the order of getN', () => {
    const topology = strings(['a', 'b', 'c', 'd']);
    for (const key of keys.slice(0, 50)) {
      const asked: string[] = [];
      expect(topology.find(key, (each) => asked.push(each) < 0)).toBeUndefined();
      expect(asked).toEqual(topology.getN(key, 4));
      expect(topology.find(key, (each) => each === asked[2])).toBe(asked[2]);
    }
  });

  test('every node with a weight owns something, and shares sum to 1', () => {
    fc.assert(
      fc.property(nodes, (list) => {
        const { shares, maxLoad, minLoad, size } = objects(list).stats();
        expect(size).toBe(list.length);
        expect(shares.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
        for (const { share } of shares) expect(share).toBeGreaterThan(0);
        expect(maxLoad).toBeGreaterThanOrEqual(0.999);
        expect(minLoad).toBeLessThanOrEqual(1.001);
      }),
      { numRuns: 30 },
    );
  });

  test('ranges follow each other from 0 to the end, and say the same as get', () => {
    fc.assert(
      fc.property(nodes, (list) => {
        const topology = objects(list);
        if (topology.space === undefined) {
          expect(topology.ranges(list[0]!.id)).toBeUndefined();
          expect(topology.position('key')).toBeUndefined();
          return;
        }
        let end: number | bigint = typeof topology.position('') === 'bigint' ? 0n : 0;
        topology.eachRange((_id, from, to) => {
          expect(from).toBe(end);
          expect(to > from).toBe(true);
          end = to;
        });
        const ranges = list.map((each) => ({ each, owned: topology.ranges(each.id)! }));
        for (const { owned } of ranges) {
          for (const [i, range] of owned.entries())
            if (i > 0) expect(range.start > owned[i - 1]!.end).toBe(true);
        }
        for (const key of keys.slice(0, 40)) {
          const position = topology.position(key)!;
          expect(position < end).toBe(true);
          const owner = ranges.find(({ owned }) =>
            owned.some((range) => range.start <= position && position < range.end),
          );
          expect(topology.get(key)).toBe(owner?.each);
        }
        expect(topology.ranges('an unknown id')).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('depends on the order of nodes only where Envoy does', () => {
    if (!orderless) return;
    fc.assert(
      fc.property(
        nodes.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
        ),
        ([list, shuffled]) => {
          const a = objects(list);
          const b = objects(shuffled);
          expect(idsOf(b)).toEqual(idsOf(a));
          expect(b.version).toBe(a.version);
          expect(b.getN('key', 9).map((each) => each.id)).toEqual(a.getN('key', 9).map((each) => each.id));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a change moves only keys of the node that came or went, where that is promised', () => {
    if (!minimal) return;
    fc.assert(
      fc.property(nodes, node, (list, added) => {
        fc.pre(list.every((each) => each.id !== added.id));
        const before = objects(list);
        const after = before.with(added);
        for (const key of keys) {
          if (after.get(key) !== added) expect(after.get(key)).toBe(before.get(key));
        }
        const rest = after.without(list[0]!.id);
        for (const key of keys) {
          if (after.get(key)!.id !== list[0]!.id) expect(rest.get(key)).toBe(after.get(key));
        }
      }),
      { numRuns: 30 },
    );
  });

  test('the version tells one topology from another', () => {
    const versions = [
      objects([]),
      objects([{ id: 'a' }]),
      objects([{ id: 'b' }]),
      objects([{ id: 'a' }, { id: 'b' }]),
      objects([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 1 }]),
      objects([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 2 }]),
      objects([{ id: 'a,b' }]),
    ].map((topology) => topology.version);
    expect(new Set(versions).size).toBe(versions.length);
    for (const version of versions) {
      expect(version).toMatch(/^[0-9a-f]{16}$/);
      expect(version.slice(0, 8)).not.toBe(version.slice(8));
    }
    expect(strings(['a', 'b']).without('b').version).toBe(strings(['a']).version);
  });

  test('is a component that JSON can carry', () => {
    const topology = strings(['a', 'b']);
    expect(topology.kind).toBe('topology');
    expect(topology.with('c').name).toBe(topology.name);
    const snapshot = topology.snapshot();
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(snapshot).toMatchObject({ size: 2, version: topology.version });
    for (const sample of [...topology.metrics(), ...strings([]).metrics()]) {
      expect(sample.name).toMatch(/^weir_consistent_hash_[a-z_]+$/);
      expect(Number.isFinite((sample as { value: number }).value)).toBe(true);
    }
  });
});

test('the version tells algorithms and parameters apart', () => {
  const nodes = ['a', 'b'];
  const versions = [
    ...contenders.map(({ strings }) => strings(nodes).version),
    createRing(nodes, { vnodes: 41 }).version,
    createMaglev(nodes, { size: 257 }).version,
    createKetama(nodes, { compat: 'libmemcached' }).version,
  ];
  expect(new Set(versions).size).toBe(versions.length);
});
