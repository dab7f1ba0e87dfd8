// murmur3_x86_32 (Austin Appleby, 2010, public domain), in the parts that its callers put together.
// Hashes are signed inside the package: an unsigned one that does not fit a small integer is a heap object in V8.

/** Folds the last one to three bytes; 0 changes nothing. */
export function tail(h: number, block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return h ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/** Folds a little-endian block of four. */
export function round(h: number, block: number): number {
  const x = tail(h, block);
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}

/** The finaliser: a bijection of 32 bits in which every input bit reaches every output bit. Signed, as all here. */
export function mix(h: number): number {
  let x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** The hash of bytes. */
export function murmur3(bytes: Uint8Array, seed: number): number {
  const { length } = bytes;
  const end = length & ~3;
  let h = seed;
  for (let i = 0; i < end; i += 4) {
    h = round(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
  }
  let last = 0;
  for (let i = length - 1; i >= end; i -= 1) last = (last << 8) | bytes[i]!;
  return mix(tail(h, last) ^ length);
}
