import { seededRandom } from '@weir/core/testing';
import { expect, test } from 'vitest';
import { hashKey } from '../src/index.ts';

test('text hashes as its UTF-8 bytes, whatever it is', () => {
  const random = seededRandom(1);
  const encoder = new TextEncoder();
  const below = (limit: number) => Math.floor(random() * limit);
  for (let i = 0; i < 5000; i += 1) {
    // ASCII, Latin 1 or any code units, surrogates in the wrong places among them.
    const limit = [0x80, 0x100, 0x10000][i % 3]!;
    const text = String.fromCharCode(...Array.from({ length: below(70) }, () => below(limit)));
    expect(hashKey(text)).toBe(hashKey(encoder.encode(text)));
  }
});

test('every code unit is told from ASCII, wherever it stands', () => {
  const encoder = new TextEncoder();
  for (let code = 0; code < 0x300; code += 1) {
    for (const text of [0, 1, 2, 3, 4, 5].map((at) => `${'x'.repeat(at)}${String.fromCharCode(code)}yz`)) {
      expect(hashKey(text)).toBe(hashKey(encoder.encode(text)));
    }
  }
});

test('a lone surrogate hashes as the replacement character, and a pair as its code point', () => {
  expect(hashKey('\ud800')).toBe(hashKey(new Uint8Array([0xef, 0xbf, 0xbd])));
  expect(hashKey('abc\udc00defg')).toBe(hashKey('abc\ufffddefg'));
  expect(hashKey('\ud83d\ude00')).toBe(3199479546);
});

test('a number and a bigint hash as their decimal text', () => {
  for (const n of [0, -1, 42, 1.5, 2 ** 53]) expect(hashKey(n)).toBe(hashKey(String(n)));
  expect(hashKey(2n ** 64n)).toBe(hashKey('18446744073709551616'));
});

test('a view of part of a buffer hashes as that part', () => {
  const bytes = new TextEncoder().encode('xabcdefgx');
  expect(hashKey(bytes.subarray(1, 8))).toBe(hashKey('abcdefg'));
});

test('is an unsigned integer of 32 bits', () => {
  for (let i = 0; i < 1000; i += 1) {
    const hash = hashKey(`key-${i}`);
    expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
  }
});
