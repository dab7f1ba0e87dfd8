import { InvalidOptionError } from '@weir/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRendezvous, hashKey } from '../src/index.ts';
import { keys } from './contract.ts';

const id = fc.string({ minLength: 1, maxLength: 9 });

test('by default is the highest murmur3 of id, dash and key, the greater id in a tie', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(id, { minLength: 1, maxLength: 8 }),
      fc.string({ maxLength: 12 }),
      (ids, key) => {
        const ranked = ids.toSorted(
          (a, b) => hashKey(`${b}-${key}`) - hashKey(`${a}-${key}`) || (a < b ? 1 : -1),
        );
        expect(createRendezvous(ids).getN(key, ids.length)).toEqual(ranked);
        expect(createRendezvous(ids).get(key)).toBe(ranked[0]);
        const doubled = ids.map((each) => ({ id: each, weight: 2 }));
        expect(createRendezvous(doubled).get(key)?.id).toBe(ranked[0]);
      },
    ),
  );
});

test('two ids that draw the same number for a key, found by search: the greater one is first', () => {
  const drawn = new Map<number, string>();
  const twins: [string, string][] = [];
  for (let i = 0; i < 200_000; i += 1) {
    const draw = hashKey(`n${i}-key`);
    const twin = drawn.get(draw);
    if (twin === undefined) drawn.set(draw, `n${i}`);
    else twins.push([twin, `n${i}`]);
  }
  expect(twins.length).toBeGreaterThan(0);
  for (const pair of twins) {
    const ranked = pair.toSorted().toReversed();
    for (const ids of [pair, pair.toReversed()]) {
      expect(createRendezvous(ids).get('key')).toBe(ranked[0]);
      expect(createRendezvous(ids).getN('key', 2)).toEqual(ranked);
    }
  }
});

test.each(['pymemcache', 'rendezvous-hash', 'envoy'] as const)('%s: keys follow weights', (compat) => {
  const nodes = [1, 2, 3, 4].map((weight) => ({ id: `w${weight}`, weight }));
  const table = createRendezvous(nodes, { compat });
  const counts = new Map<string, number>();
  const total = compat === 'rendezvous-hash' ? 4000 : 20_000;
  for (let i = 0; i < total; i += 1) {
    const owner = table.get(`user:${i}`)!.id;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  for (const { weight, id: each } of nodes) {
    expect(Math.abs(counts.get(each)! / total - weight / 10)).toBeLessThan(0.025);
  }
  expect(table.stats().shares.map(({ share }) => share)).toEqual([0.1, 0.2, 0.3, 0.4]);
});

test('the owner is always the first preference', () => {
  for (const compat of ['pymemcache', 'rendezvous-hash', 'envoy'] as const) {
    const table = createRendezvous(['a', 'b', { id: 'c', weight: 3 }], { compat });
    for (const key of keys.slice(0, 100)) expect(table.getN(key, 1)[0]).toBe(table.get(key));
  }
});

test('refuses another rule', () => {
  expect(() => createRendezvous(['a'], { compat: 'maglev' as never })).toThrow(InvalidOptionError);
});
