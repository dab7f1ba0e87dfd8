import { InvalidOptionError } from '@weir/core';
import { expect, test } from 'vitest';
import { createEnvoyRing } from '../src/index.ts';

const counts = (nodes: readonly { id: string; weight: number }[], minSize: number, maxSize?: number) => {
  const found = new Map<string, number>();
  const ring = createEnvoyRing(nodes, { minSize, maxSize });
  const owners: string[] = [];
  ring.eachRange((id) => owners.push(id));
  // The last range is the first point's, once more.
  for (const id of owners.slice(0, -1)) found.set(id, (found.get(id) ?? 0) + 1);
  return Object.fromEntries(found);
};

test('the lightest host has a whole number of points, the others by weight', () => {
  expect(
    counts(
      [
        { id: 'a', weight: 1 },
        { id: 'b', weight: 3 },
      ],
      10,
    ),
  ).toEqual({ a: 3, b: 9 });
  expect(
    counts(
      [
        { id: 'a', weight: 1 },
        { id: 'b', weight: 1 },
      ],
      1,
    ),
  ).toEqual({ a: 1, b: 1 });
});

test('fractions go by running sums', () => {
  // 187 points for a weight of 2 make 280.5 for a weight of 3.
  const nodes = [2, 3, 6].map((weight) => ({ id: `w${weight}`, weight }));
  expect(counts(nodes, 1024)).toEqual({ w2: 187, w3: 281, w6: 561 });
});

test('a key spelled like a point belongs to it, since it has its hash', () => {
  const hosts = ['127.0.0.1:90', '127.0.0.1:91', '127.0.0.1:92'];
  const ring = createEnvoyRing(hosts, { minSize: 30 });
  for (const host of hosts) {
    for (let i = 0; i < 10; i += 1) expect(ring.get(`${host}_${i}`)).toBe(host);
  }
});

test('the largest size holds, and where it cuts points up the order of hosts matters, as the version tells', () => {
  const hosts = [
    { id: 'a', weight: 1 },
    { id: 'b', weight: 3 },
  ];
  expect(counts(hosts, 10, 10)).toEqual({ a: 3, b: 7 });
  expect(counts(hosts.toReversed(), 10, 10)).toEqual({ a: 2, b: 8 });
  const version = (given: typeof hosts, maxSize?: number) =>
    createEnvoyRing(given, { minSize: 10, maxSize }).version;
  expect(version(hosts, 10)).not.toBe(version(hosts.toReversed(), 10));
  expect(version(hosts)).toBe(version(hosts.toReversed()));
});

test.each([
  { minSize: 0 },
  { minSize: 2 ** 23 + 1 },
  { minSize: 10, maxSize: 9 },
  { minSize: 1.5 },
  { size: 7 },
])('refuses %j', (options) => {
  expect(() => createEnvoyRing(['a'], options as never)).toThrow(InvalidOptionError);
});
