const shifts: Uint8Array = /* @__PURE__ */ Uint8Array.of(
  7,
  12,
  17,
  22,
  5,
  9,
  14,
  20,
  4,
  11,
  16,
  23,
  6,
  10,
  15,
  21,
);
const sines: Int32Array = /* @__PURE__ */ Int32Array.from({ length: 64 }, (_, i) =>
  Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32),
);
const words: Int32Array = /* @__PURE__ */ new Int32Array(16);
const digest: Int32Array = /* @__PURE__ */ new Int32Array(4);

/**
 * MD5 (RFC 1321) of the first `length` bytes, as its four little-endian words, signed. The array is overwritten by the
 * next call. Broken for secrets since 2004; here only because ketama places by it.
 */
export function md5(bytes: Uint8Array, length: number): Int32Array {
  digest[0] = 0x67452301;
  digest[1] = 0xefcdab89;
  digest[2] = 0x98badcfe;
  digest[3] = 0x10325476;
  const blocks = ((length + 8) >>> 6) + 1;
  for (let block = 0; block < blocks; block += 1) {
    words.fill(0);
    const end = Math.min(length - block * 64, 64);
    for (let i = 0; i < end; i += 1) words[i >> 2]! |= bytes[block * 64 + i]! << ((i & 3) << 3);
    if (end >= 0 && end < 64) words[end >> 2]! |= 0x80 << ((end & 3) << 3);
    if (block === blocks - 1) {
      words[14] = length << 3;
      words[15] = length >>> 29;
    }
    compress();
  }
  return digest;
}

function compress(): void {
  let a = digest[0]!;
  let b = digest[1]!;
  let c = digest[2]!;
  let d = digest[3]!;
  for (let i = 0; i < 64; i += 1) {
    let f: number;
    let word: number;
    if (i < 16) {
      f = (b & c) | (~b & d);
      word = i;
    } else if (i < 32) {
      f = (d & b) | (~d & c);
      word = (5 * i + 1) & 15;
    } else if (i < 48) {
      f = b ^ c ^ d;
      word = (3 * i + 5) & 15;
    } else {
      f = c ^ (b | ~d);
      word = (7 * i) & 15;
    }
    const sum = (a + f + sines[i]! + words[word]!) | 0;
    const shift = shifts[((i >> 4) << 2) | (i & 3)]!;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  digest[0]! += a;
  digest[1]! += b;
  digest[2]! += c;
  digest[3]! += d;
}
