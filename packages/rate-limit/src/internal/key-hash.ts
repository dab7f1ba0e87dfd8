/** What a process draws once, so that nobody can prepare keys that share a hash. */
export type Seed = readonly [number, number];

export const randomSeed = (): Seed => {
  const [a, b] = crypto.getRandomValues(new Int32Array(2));
  return [a!, b!];
};

/** The two halves of the last hash, so that hashing allocates nothing. */
export const hashed: Uint32Array = new Uint32Array(2);

/**
 * 64 bits of keyed hash: HalfSipHash-1-3 (Aumasson and Bernstein) over UTF-16 units, two a word, both halves taken
 * from one finalization. The hash never leaves the process, so nothing is learnt of the seed.
 */
export function hashKey(key: string, seed: Seed): void {
  const { length } = key;
  let v0 = seed[0];
  let v1 = seed[1];
  let v2 = v0 ^ 0x6c796765;
  let v3 = v1 ^ 0x74656462;
  const even = length & ~1;
  for (let i = 0; i <= even + 6; i += 2) {
    let word = 0;
    if (i < even) word = key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16);
    // The last word holds what is left and the length; three empty rounds finish.
    else if (i === even) word = (even < length ? key.charCodeAt(i) : 0) | (length << 16);
    else if (i === even + 2) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  hashed[0] = v1 ^ v3;
  hashed[1] = v0 ^ v2;
}
