import { InvalidOptionError } from '@weir/core';
import { mix, murmur3, round, tail } from './internal/murmur3.ts';

/** What can be placed. A number or bigint stands for its decimal text, a string for its UTF-8 bytes. */
export type HashKey = string | Uint8Array | number | bigint;

const encoder: TextEncoder = /* @__PURE__ */ new TextEncoder();

/**
 * The hash that ring, Maglev, partitions and replica sets place keys by: murmur3_x86_32 with seed 0 over the key's
 * UTF-8 bytes, so that Guava (`murmur3_32_fixed`), Go and Python compute the same number. Lone surrogates count as
 * U+FFFD. No allocation for an ASCII string. Not for secrets, nor against attackers who choose keys.
 *
 * @returns an integer from 0 to 2^32 - 1
 * @throws InvalidOptionError if the key is not a string, Uint8Array, number or bigint.
 *
 * @example
 * hashKey('user:session:1000001'); // 3479931411
 */
export function hashKey(key: HashKey): number {
  return signedHash(key) >>> 0;
}

/** The same as a signed number. */
export function signedHash(key: HashKey): number {
  if (typeof key !== 'string') return hashBytes(key, 0);
  const { length } = key;
  const end = length & ~3;
  let h = 0;
  let seen = 0;
  for (let i = 0; i < end; i += 4) {
    const a = key.charCodeAt(i);
    const b = key.charCodeAt(i + 1);
    const c = key.charCodeAt(i + 2);
    const d = key.charCodeAt(i + 3);
    seen |= a | b | c | d;
    h = round(h, a | (b << 8) | (c << 16) | (d << 24));
  }
  let last = 0;
  for (let i = length - 1; i >= end; i -= 1) {
    const code = key.charCodeAt(i);
    seen |= code;
    last = (last << 8) | code;
  }
  return seen < 128 ? mix(tail(h, last) ^ length) : hashBytes(key, 0);
}

/** The same, signed, for another seed, always by way of the bytes. */
export function hashBytes(key: HashKey, seed: number): number {
  return murmur3(bytesOf(key), seed);
}

/** The bytes that a key is hashed as. */
export function bytesOf(key: HashKey): Uint8Array {
  if (key instanceof Uint8Array) return key;
  if (typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint') {
    return encoder.encode(String(key));
  }
  throw new InvalidOptionError('key', 'a string, a Uint8Array, a number or a bigint', key);
}
