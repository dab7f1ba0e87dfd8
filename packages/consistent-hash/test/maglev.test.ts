import { InvalidOptionError } from '@weir/core';
import { describe, expect, test } from 'vitest';
import { hashBytes } from '../src/hash-key.ts';
import { createEnvoyMaglev, createMaglev, diff, hashKey } from '../src/index.ts';

const names = (count: number) => Array.from({ length: count }, (_, i) => `10.0.0.${i}:8080`);

test.each([
  [10, 1.01],
  [100, 1.03],
])('%i nodes own at most %f times the mean', (count, most) => {
  const { maxLoad, minLoad } = createMaglev(names(count)).stats();
  expect(maxLoad).toBeLessThanOrEqual(most);
  expect(minLoad).toBeGreaterThan(0.98);
});

test('of 100 nodes one that leaves moves at most 0.6 % of other keys, on average and by far', () => {
  const table = createMaglev(names(100));
  let needless = 0;
  const tried = 10;
  for (let i = 0; i < tried; i += 1) {
    const gone = `10.0.0.${i * 10}:8080`;
    const { moves } = diff(table, table.without(gone));
    needless += moves.filter(({ from }) => from !== gone).reduce((sum, { share }) => sum + share, 0);
  }
  expect(needless / tried).toBeGreaterThan(0);
  expect(needless / tried).toBeLessThanOrEqual(0.006);
});

test('follows the documented rule', () => {
  const size = 101;
  const nodes = [
    { id: 'b', weight: 1 },
    { id: 'ä', weight: 2.5 },
    { id: 'a', weight: 0.3 },
    { id: 'none', weight: 0 },
  ];
  /** The paper's table, with Envoy's turns, by ascending id. */
  const lists = nodes
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, weight }) => {
      const offset = (hashBytes(id, 0) >>> 0) % size;
      const skip = ((hashBytes(id, 1) >>> 0) % (size - 1)) + 1;
      const slots = Array.from({ length: size }, (_, k) => (offset + k * skip) % size);
      return { id, share: weight / 3.8, slots, taken: 0 };
    });
  const table = new Map<number, string>();
  for (let round = 1; table.size < size; round += 1) {
    for (const list of lists) {
      if (table.size === size || round * list.share < list.taken * (2.5 / 3.8)) continue;
      list.taken += 1;
      table.set(list.slots.find((slot) => !table.has(slot))!, list.id);
    }
  }
  const slots: string[] = [];
  createMaglev(nodes, { size }).eachRange((id) => slots.push(id));
  expect(slots).toEqual(Array.from({ length: size }, (_, slot) => table.get(slot)));
});

test('a key lies in the slot that its hash, scaled, says', () => {
  const table = createMaglev(names(3), { size: 7 });
  const slots: string[] = [];
  table.eachRange((id) => slots.push(id));
  expect(slots).toHaveLength(7);
  for (let i = 0; i < 200; i += 1) {
    const key = `key-${i}`;
    expect(table.get(key)).toBe(slots[Math.floor((hashKey(key) * 7) / 2 ** 32)]);
  }
});

test('a range ends where the next slot begins, to the very hash', () => {
  const size = 7;
  const slotOf = (hash: number) => Math.floor((hash * size) / 2 ** 32);
  let slot = 0;
  createMaglev(names(3), { size }).eachRange((_id, start, end) => {
    expect([slotOf(start as number), slotOf((end as number) - 1)]).toEqual([slot, slot]);
    slot += 1;
  });
  expect(slot).toBe(size);
});

test('shares follow weights', () => {
  const nodes = [1, 2, 3, 4].map((weight) => ({ id: `w${weight}`, weight }));
  for (const make of [createMaglev, createEnvoyMaglev]) {
    for (const { share, weight } of make(nodes).stats().shares) expect(share).toBeCloseTo(weight / 10, 3);
  }
});

describe.each([
  ['createMaglev', createMaglev],
  ['createEnvoyMaglev', createEnvoyMaglev],
])('%s', (_name, make) => {
  test.each([0, 1, 4, 65_536, 65_537.5, 5_000_012, 5_000_021, Number.NaN, '7' as never])(
    'refuses a size of %s',
    (size) => {
      expect(() => make(['a'], { size })).toThrow(InvalidOptionError);
    },
  );

  test('takes the smallest prime and the largest', () => {
    expect(make(['a', 'b'], { size: 2 }).size).toBe(2);
    expect(make([], { size: 5_000_011 }).size).toBe(0);
  });

  test('refuses fewer slots than nodes, also later on', () => {
    expect(() => make(['a', 'b', 'c', 'd'], { size: 3 })).toThrow(/`size` must be at least 4/);
    const full = make(['a', 'b', 'c'], { size: 3 });
    expect(full.stats().minLoad).toBeCloseTo(1);
    expect(() => full.with('d')).toThrow(InvalidOptionError);
  });

  test('refuses unknown options', () => {
    expect(() => make(['a'], { vnodes: 3 } as never)).toThrow(InvalidOptionError);
  });
});
