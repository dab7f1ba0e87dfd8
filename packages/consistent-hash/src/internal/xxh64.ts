import { Word64 } from './word64.ts';

const prime1: Word64 = /* @__PURE__ */ new Word64(0x9e3779b1, 0x85ebca87);
const prime2: Word64 = /* @__PURE__ */ new Word64(0xc2b2ae3d, 0x27d4eb4f);
const prime3: Word64 = /* @__PURE__ */ new Word64(0x165667b1, 0x9e3779f9);
const prime4: Word64 = /* @__PURE__ */ new Word64(0x85ebca77, 0xc2b2ae63);
const prime5: Word64 = /* @__PURE__ */ new Word64(0x27d4eb2f, 0x165667c5);
const minusPrime1: Word64 = /* @__PURE__ */ new Word64(~0x9e3779b1, -0x85ebca87);

const lanes: readonly Word64[] = /* @__PURE__ */ Array.from({ length: 4 }, () => new Word64());
const hash: Word64 = /* @__PURE__ */ new Word64();
const input: Word64 = /* @__PURE__ */ new Word64();
const product: Word64 = /* @__PURE__ */ new Word64();
const seedWord: Word64 = /* @__PURE__ */ new Word64();

/**
 * XXH64 (Yann Collet, 2014) of the first `length` bytes, which Envoy places hosts and keys by. The result is
 * overwritten by the next call.
 */
export function xxh64(bytes: Uint8Array, length: number, seed: number): Word64 {
  let at = 0;
  seedWord.set(0, seed);
  if (length >= 32) {
    const [a, b, c, d] = lanes as [Word64, Word64, Word64, Word64];
    a.copy(seedWord).add(prime1).add(prime2);
    b.copy(seedWord).add(prime2);
    c.copy(seedWord);
    d.copy(seedWord).add(minusPrime1);
    for (; at + 32 <= length; at += 32) {
      for (let lane = 0; lane < 4; lane += 1) accumulate(lanes[lane]!, read64(bytes, at + lane * 8));
    }
    hash.copy(input.copy(a).rotate(1));
    hash.add(input.copy(b).rotate(7)).add(input.copy(c).rotate(12)).add(input.copy(d).rotate(18));
    for (let lane = 0; lane < 4; lane += 1) {
      hash
        .xor(accumulate(input.set(0, 0), lanes[lane]!))
        .multiply(prime1)
        .add(prime4);
    }
  } else {
    hash.copy(seedWord).add(prime5);
  }
  hash.add(input.set(0, length));
  for (; at + 8 <= length; at += 8) {
    const word = read64(bytes, at).multiply(prime2).rotate(31).multiply(prime1);
    hash.xor(word).rotate(27).multiply(prime1).add(prime4);
  }
  if (at + 4 <= length) {
    hash
      .xor(input.set(0, read32(bytes, at)).multiply(prime1))
      .rotate(23)
      .multiply(prime2)
      .add(prime3);
    at += 4;
  }
  for (; at < length; at += 1) {
    hash.xor(input.set(0, bytes[at]!).multiply(prime5)).rotate(11).multiply(prime1);
  }
  return hash.xorRight(33).multiply(prime2).xorRight(29).multiply(prime3).xorRight(32);
}

/** One step of a lane. */
function accumulate(lane: Word64, word: Word64): Word64 {
  product.copy(word).multiply(prime2);
  return lane.add(product).rotate(31).multiply(prime1);
}

function read64(bytes: Uint8Array, at: number): Word64 {
  return input.set(read32(bytes, at + 4), read32(bytes, at));
}

function read32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
