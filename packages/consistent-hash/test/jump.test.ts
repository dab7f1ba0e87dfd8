import { InvalidOptionError } from '@weir/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createJump, hashKey } from '../src/index.ts';

const mask = 2n ** 64n - 1n;

/** The paper's listing, with BigInt. */
const model = (key: bigint, buckets: number): number => {
  let state = key & mask;
  let bucket = -1;
  let next = 0;
  while (next < buckets) {
    bucket = next;
    state = (state * 2862933555777941757n + 1n) & mask;
    next = Math.floor((bucket + 1) * (2 ** 31 / Number((state >> 33n) + 1n)));
  }
  return bucket;
};

test('follows the paper for any 64-bit key, signed or not', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 63n), max: mask }),
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      (key, n) => {
        expect(createJump(n).get(key)).toBe(model(key, n));
      },
    ),
  );
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 1000 }), (key, n) => {
      expect(createJump(n).get(key)).toBe(model(BigInt(key), n));
    }),
  );
});

test('text is its 32-bit hash, padded', () => {
  for (const key of ['', 'a', 'ключ', '__proto__']) {
    expect(createJump(1000).get(key)).toBe(createJump(1000).get(BigInt(hashKey(key))));
    expect(createJump(1000).get(new TextEncoder().encode(key))).toBe(createJump(1000).get(key));
  }
});

test('growing moves keys to the new bucket only, and shrinking takes them back', () => {
  for (let n = 1; n < 30; n += 1) {
    const jump = createJump(n);
    const grown = jump.with();
    expect(grown.size).toBe(n + 1);
    for (let key = 0; key < 200; key += 1) {
      if (grown.get(key) !== n) expect(grown.get(key)).toBe(jump.get(key));
      expect(grown.without(n).get(key)).toBe(jump.get(key));
    }
  }
});

test('grows and shrinks at the end only', () => {
  const jump = createJump(5);
  expect(jump.with(5).size).toBe(6);
  expect(jump.without(4).size).toBe(4);
  expect(jump.without('4').size).toBe(4);
  for (const bucket of [0, '2', 5, -1, 'x', Number.NaN]) {
    expect(() => jump.without(bucket)).toThrow(/jump shrinks at the end only/);
  }
  for (const bucket of [0, 4, 6]) expect(() => jump.with(bucket)).toThrow(InvalidOptionError);
  expect(() => createJump(0).without(0)).toThrow(InvalidOptionError);
});

test('needs no memory for its buckets', () => {
  const jump = createJump(2 ** 31 - 1);
  expect(jump.get('key')).toBeLessThan(2 ** 31);
  expect(jump.snapshot()).toMatchObject({ algorithm: 'jump', size: 2 ** 31 - 1, maxLoad: 1, minLoad: 1 });
  expect(jump.metrics()).toHaveLength(3);
  expect(jump.getN('key', 3)).toHaveLength(3);
});

test('getN gives different buckets, the owner first', () => {
  const jump = createJump(7);
  for (let key = 0; key < 100; key += 1) {
    const found = jump.getN(key, 7);
    expect(found[0]).toBe(jump.get(key));
    expect(found.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  }
});

test('without buckets has no owner', () => {
  expect(createJump(0).get('key')).toBeUndefined();
  expect(createJump(0).getN('key', 2)).toEqual([]);
  expect(createJump(0).stats()).toMatchObject({ size: 0, maxLoad: 0, shares: [] });
  expect(createJump(0).members).toEqual([]);
});

test('is a topology like the others', () => {
  const jump = createJump(3);
  expect(jump.members).toEqual([0, 1, 2].map((bucket) => ({ id: String(bucket), weight: 1, node: bucket })));
  expect(jump.stats().shares.map(({ share }) => share)).toEqual([1 / 3, 1 / 3, 1 / 3]);
  expect(jump.ranges('1')).toBeUndefined();
  expect(jump.position('key')).toBeUndefined();
  expect(jump.version).toBe(createJump(3).version);
  expect(jump.version).not.toBe(createJump(4).version);
});

test.each([-1, 1.5, 2 ** 31, Number.NaN, '3' as never])('refuses %s buckets', (n) => {
  expect(() => createJump(n)).toThrow(InvalidOptionError);
});

test.each([1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])('refuses %s as a key', (key) => {
  expect(() => createJump(3).get(key)).toThrow(InvalidOptionError);
});
