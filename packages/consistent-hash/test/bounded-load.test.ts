import { InvalidOptionError } from '@weir/core';
import { seededRandom } from '@weir/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BoundedLease,
  boundedLoad,
  createJump,
  createMaglev,
  createRendezvous,
  createRing,
} from '../src/index.ts';

const weighted = [
  { id: 'a', weight: 1 },
  { id: 'b', weight: 2 },
  { id: 'c', weight: 5 },
  { id: 'd', weight: 0.5 },
];

describe.each([
  ['ring', createRing(weighted)],
  ['Maglev', createMaglev(weighted, { size: 251 })],
  ['rendezvous', createRendezvous(weighted)],
])('over a %s', (_name, topology) => {
  test('no node is ever handed more than its cap', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 3, noNaN: true }),
        fc.array(fc.oneof(fc.nat({ max: 20 }), fc.constant(-1)), { maxLength: 200 }),
        (factor, steps) => {
          const bounded = boundedLoad(topology, { factor });
          const leases: BoundedLease<{ id: string; weight: number }>[] = [];
          const loads = new Map<string, number>();
          for (const step of steps) {
            if (step === -1) {
              const lease = leases.shift();
              if (lease === undefined) continue;
              lease.release();
              loads.set(lease.node.id, loads.get(lease.node.id)! - 1);
            } else {
              const cap = (weight: number) => Math.ceil((factor * (leases.length + 1) * weight) / 8.5);
              const lease = bounded.acquire(`key-${step}`)!;
              leases.push(lease);
              const load = (loads.get(lease.node.id) ?? 0) + 1;
              loads.set(lease.node.id, load);
              expect(load).toBeLessThanOrEqual(cap(lease.node.weight));
            }
            expect(bounded.total).toBe(leases.length);
            for (const [id, load] of loads) expect(bounded.load(id)).toBe(load);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('with Zipf keys the plain ring is far from even and the bounded one is not', () => {
  const nodes = Array.from({ length: 10 }, (_, i) => `n${i}`);
  const ring = createRing(nodes);
  const random = seededRandom(7);
  const sums: number[] = [];
  for (let i = 1, sum = 0; i <= 1000; i += 1) {
    sum += 1 / i;
    sums.push(sum);
  }
  const zipf = () => {
    const at = random() * sums.at(-1)!;
    return `key-${sums.findIndex((sum) => at < sum)}`;
  };
  const bounded = boundedLoad(ring, { factor: 1.25 });
  const plain = new Map<string, number>();
  const inFlight: (BoundedLease<string> | undefined)[] = [];
  for (let i = 0; i < 5000; i += 1) {
    const key = zipf();
    if (inFlight.length === 500) inFlight.splice(Math.floor(random() * 500), 1)[0]?.release();
    const lease = bounded.acquire(key)!;
    inFlight.push(lease);
    plain.set(ring.get(key)!, (plain.get(ring.get(key)!) ?? 0) + 1);
    expect(bounded.load(lease.node)).toBeLessThanOrEqual(Math.ceil((1.25 * bounded.total) / 10));
  }
  expect(Math.max(...plain.values()) / 500).toBeGreaterThan(1.6);
  expect(bounded.metrics().map((sample) => sample.name)).toEqual([
    'weir_consistent_hash_in_flight',
    'weir_consistent_hash_acquired_total',
    'weir_consistent_hash_spilled_total',
  ]);
});

test('while there is room a key stays on its owner', () => {
  const ring = createRing(['a', 'b', 'c']);
  const bounded = boundedLoad(ring, { factor: 100 });
  for (let i = 0; i < 50; i += 1) expect(bounded.acquire(`key-${i}`)!.node).toBe(ring.get(`key-${i}`));
});

test('a spilled key goes to its next preference', () => {
  const ring = createRing(['a', 'b', 'c']);
  const bounded = boundedLoad(ring, { factor: 1 });
  expect([1, 2, 3].map(() => bounded.acquire('key')!.node)).toEqual(ring.getN('key', 3));
});

test('releasing twice gives back once, and disposing is releasing', () => {
  const bounded = boundedLoad(createRing(['a']));
  const first = bounded.acquire('key')!;
  {
    using second = bounded.acquire('key')!;
    expect(second.node).toBe('a');
    expect(bounded.total).toBe(2);
  }
  expect(bounded.total).toBe(1);
  first.release();
  first.release();
  first[Symbol.dispose]();
  expect(bounded.total).toBe(0);
  expect(bounded.load('a')).toBe(0);
});

test('if nobody is accepted the owner is taken, over its cap', () => {
  const ring = createRing(['a', 'b', 'c']);
  const bounded = boundedLoad(ring, { factor: 1 });
  const owner = ring.get('key');
  for (let i = 0; i < 5; i += 1) expect(bounded.acquire('key', () => false)!.node).toBe(owner);
  expect(bounded.load(owner!)).toBe(5);
});

test('accept keeps keys off a node', () => {
  const bounded = boundedLoad(createRing(['a', 'b', 'c']), { factor: 3 });
  for (let i = 0; i < 30; i += 1)
    expect(bounded.acquire(`key-${i}`, (node) => node !== 'b')!.node).not.toBe('b');
});

test('without an owner there is no lease', () => {
  expect(boundedLoad(createRing([])).acquire('key')).toBeUndefined();
  expect(boundedLoad(createRing([{ id: 'a', weight: 0 }])).acquire('key')).toBeUndefined();
});

test('nodes of the same id keep their load when the topology changes', () => {
  const ring = createRing(['a', 'b']);
  const bounded = boundedLoad(ring, { factor: 1 });
  const leases = [bounded.acquire('x')!, bounded.acquire('x')!];
  const onA = leases.find(({ node }) => node === 'a')!;
  bounded.topology = ring.without('a').with('c');
  expect(bounded.topology.size).toBe(2);
  expect([bounded.total, bounded.load('a'), bounded.load('b'), bounded.load('c')]).toEqual([1, 1, 1, 0]);
  bounded.topology = ring;
  expect([bounded.total, bounded.load('a')]).toEqual([2, 1]);
  bounded.topology = ring.without('a');
  onA.release();
  onA.release();
  expect([bounded.total, bounded.load('a'), bounded.load('b')]).toEqual([1, 0, 1]);
  // Nothing is remembered of a node that is gone and has no lease left.
  expect(bounded.snapshot().loads).toEqual([{ id: 'b', load: 1 }]);
  bounded.topology = ring;
  expect([bounded.total, bounded.load('a')]).toEqual([1, 0]);
  expect(bounded.acquire('x')).toBeDefined();
});

test('works over jump buckets', () => {
  const bounded = boundedLoad(createJump(4), { factor: 1 });
  expect([1, 2, 3, 4].map(() => bounded.acquire('key')!.node).toSorted()).toEqual([0, 1, 2, 3]);
});

test('is a component that JSON can carry', () => {
  const bounded = boundedLoad(createRing(['a'], { name: 'users' }), { name: 'bounded' });
  bounded.acquire('key');
  expect(bounded.kind).toBe('bounded-load');
  expect(bounded.snapshot()).toEqual({
    topology: 'users',
    factor: 1.25,
    total: 1,
    loads: [{ id: 'a', load: 1 }],
  });
  expect(bounded.name).toBe('bounded');
});

test.each([
  { factor: 0.99 },
  { factor: Number.NaN },
  { factor: Number.POSITIVE_INFINITY },
  { factor: '2' },
  { c: 2 },
])('refuses %j', (options) => {
  expect(() => boundedLoad(createRing(['a']), options as never)).toThrow(InvalidOptionError);
});
