/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104), synchronous and for every runtime: the Web's own are asynchronous only. Used
 * a few times for each server that joins a pool, never for a request.
 */

const blockSize = 64;

/** The first 32 bits behind the point of the square and cube roots of the first primes. */
const initial: Uint32Array = /* @__PURE__ */ roots(8, Math.sqrt);
const rounds: Uint32Array = /* @__PURE__ */ roots(64, Math.cbrt);

/** HMAC-SHA-256 of a text, 32 bytes. */
export function hmac(secret: string, message: string): Uint8Array {
  const encoder = new TextEncoder();
  const given = encoder.encode(secret);
  const key = new Uint8Array(blockSize);
  key.set(given.length > blockSize ? sha256(given) : given);
  const inner = sha256(
    joined(
      key.map((byte) => byte ^ 0x36),
      encoder.encode(message),
    ),
  );
  return sha256(
    joined(
      key.map((byte) => byte ^ 0x5c),
      inner,
    ),
  );
}

export function sha256(message: Uint8Array): Uint8Array {
  const length = Math.ceil((message.length + 9) / blockSize) * blockSize;
  const padded = new Uint8Array(length);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(length - 4, (message.length << 3) >>> 0);
  const state = initial.slice();
  const schedule = new Uint32Array(64);
  for (let offset = 0; offset < length; offset += blockSize) {
    for (let i = 0; i < 16; i += 1) schedule[i] = view.getUint32(offset + 4 * i);
    compress(state, schedule);
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => void digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

function compress(state: Uint32Array, w: Uint32Array): void {
  for (let i = 16; i < 64; i += 1) {
    const [x, y] = [w[i - 15]!, w[i - 2]!];
    const s0 = right(x, 7) ^ right(x, 18) ^ (x >>> 3);
    const s1 = right(y, 17) ^ right(y, 19) ^ (y >>> 10);
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i += 1) {
    const t1 = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + rounds[i]! + w[i]!;
    const t2 = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => void (state[i]! += word));
}

/** Rotates 32 bits to the right. */
function right(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function roots(count: number, root: (prime: number) => number): Uint32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n += 1) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  return Uint32Array.from(primes, (prime) => (root(prime) % 1) * 2 ** 32);
}
