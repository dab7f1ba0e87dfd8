import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Word64 } from '../src/internal/word64.ts';
import { xxh64 } from '../src/internal/xxh64.ts';

const mask = 2n ** 64n - 1n;
const big = ({ hi, lo }: Word64): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
const word = (value: bigint): Word64 => new Word64(Number(value >> 32n), Number(value & 0xffffffffn));
const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & mask;

const [p1, p2, p3, p4, p5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

/** The specification with BigInt. */
const model = (bytes: Uint8Array, seed: bigint): bigint => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const round = (lane: bigint, input: bigint) => (rotate((lane + input * p2) & mask, 31n) * p1) & mask;
  let at = 0;
  let h = (seed + p5) & mask;
  if (bytes.length >= 32) {
    let lanes = [seed + p1 + p2, seed + p2, seed, seed - p1].map((lane) => lane & mask);
    for (; at + 32 <= bytes.length; at += 32) {
      lanes = lanes.map((lane, i) => round(lane, view.getBigUint64(at + i * 8, true)));
    }
    h = [1n, 7n, 12n, 18n].reduce((sum, by, i) => (sum + rotate(lanes[i]!, by)) & mask, 0n);
    for (const lane of lanes) h = ((h ^ round(0n, lane)) * p1 + p4) & mask;
  }
  h = (h + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) {
    h = (rotate(h ^ round(0n, view.getBigUint64(at, true)), 27n) * p1 + p4) & mask;
  }
  if (at + 4 <= bytes.length) {
    h = (rotate(h ^ ((BigInt(view.getUint32(at, true)) * p1) & mask), 23n) * p2 + p3) & mask;
    at += 4;
  }
  for (; at < bytes.length; at += 1) h = (rotate(h ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask;
  h = ((h ^ (h >> 33n)) * p2) & mask;
  h = ((h ^ (h >> 29n)) * p3) & mask;
  return h ^ (h >> 32n);
};

test('agrees with the specification at any length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0, 1), (bytes, seed) => {
      expect(big(xxh64(bytes, bytes.length, seed))).toBe(model(bytes, BigInt(seed)));
    }),
    { numRuns: 500 },
  );
});

const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: mask }),
  fc.constantFrom(0n, 1n, mask, 2n ** 32n - 1n, 2n ** 63n),
);

test('halves calculate as 64-bit integers do', () => {
  fc.assert(
    fc.property(uint64, uint64, fc.integer({ min: 1, max: 5_000_011 }), (a, b, divisor) => {
      expect(big(word(a).add(word(b)))).toBe((a + b) & mask);
      expect(big(word(a).multiply(word(b)))).toBe((a * b) & mask);
      expect(big(word(a).xor(word(b)))).toBe(a ^ b);
      expect(word(a).modulo(divisor)).toBe(Number(a % BigInt(divisor)));
      for (const by of [1, 11, 27, 31, 33, 63]) expect(big(word(a).rotate(by))).toBe(rotate(a, BigInt(by)));
      for (const by of [12, 27, 29, 32, 33]) expect(big(word(a).xorRight(by))).toBe(a ^ (a >> BigInt(by)));
      expect(big(word(a).xorLeft(25))).toBe(a ^ ((a << 25n) & mask));
    }),
    { numRuns: 500 },
  );
});
