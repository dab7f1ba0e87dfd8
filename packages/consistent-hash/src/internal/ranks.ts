import { bytesOf, type HashKey } from '../hash-key.ts';
import type { Member } from '../topology.ts';
import { encode } from './encode.ts';
import { md5 } from './md5.ts';
import { mix, round, tail } from './murmur3.ts';
import { Word64 } from './word64.ts';
import { xxh64 } from './xxh64.ts';

/** What the nodes of a rendezvous draw for a key; the highest rank wins. */
export interface Ranks {
  load(key: HashKey): void;
  /** Positive, for the node of that number. */
  of(node: number): number;
}

type Members = readonly Member<unknown>[];

/** Weights as factors, or undefined if they are all the same, which spares the logarithm. */
function weightsOf(members: Members): Float64Array | undefined {
  const weights = Float64Array.from(members, ({ weight }) => weight);
  return weights.every((weight) => weight === weights[0]) ? undefined : weights;
}

/** The rank of a 32-bit draw: in the same order as the draw itself where weights are equal. */
function rankOf(draw: number, weight: number | undefined): number {
  const u = ((draw >>> 0) + 0.5) / 2 ** 32;
  return weight === undefined ? u : -weight / Math.log(u);
}

/** murmur3_x86_32 of `<id>-<key>`, going on from what was computed of `<id>-` once. */
export class MurmurRanks implements Ranks {
  readonly #weights: Float64Array | undefined;
  readonly #lengths: Int32Array;
  /** The state after the whole blocks of the prefix, and the bytes that are left of it. */
  readonly #states: Int32Array;
  readonly #rests: Int32Array;
  #key: Uint8Array = new Uint8Array();
  #length = 0;

  constructor(members: Members) {
    this.#weights = weightsOf(members);
    const prefixes = members.map(({ id }) => bytesOf(`${id}-`));
    this.#lengths = Int32Array.from(prefixes, ({ length }) => length);
    this.#states = Int32Array.from(prefixes, (bytes) => {
      let h = 0;
      for (let i = 0; i + 4 <= bytes.length; i += 4) h = round(h, little(bytes, i, 4));
      return h;
    });
    this.#rests = Int32Array.from(prefixes, (bytes) => little(bytes, bytes.length & ~3, bytes.length & 3));
  }

  load(key: HashKey): void {
    const { bytes, length } = encode(key);
    this.#key = bytes;
    this.#length = length;
  }

  of(node: number): number {
    const key = this.#key;
    const length = this.#lengths[node]!;
    let h = this.#states[node]!;
    let block = this.#rests[node]!;
    let shift = (length & 3) << 3;
    for (let i = 0; i < this.#length; i += 1) {
      block |= key[i]! << shift;
      shift += 8;
      if (shift === 32) {
        h = round(h, block);
        block = 0;
        shift = 0;
      }
    }
    return rankOf(mix(tail(h, block) ^ (length + this.#length)), this.#weights?.[node]);
  }
}

/** The first word of the MD5 of id, a zero byte and key. */
export class Md5Ranks implements Ranks {
  readonly #weights: Float64Array | undefined;
  readonly #prefixes: readonly Uint8Array[];
  #key: Uint8Array = new Uint8Array();

  constructor(members: Members) {
    this.#weights = weightsOf(members);
    this.#prefixes = members.map(({ id }) => bytesOf(`${id}\0`));
  }

  load(key: HashKey): void {
    this.#key = bytesOf(key);
  }

  of(node: number): number {
    const prefix = this.#prefixes[node]!;
    const bytes = new Uint8Array(prefix.length + this.#key.length);
    bytes.set(prefix);
    bytes.set(this.#key, prefix.length);
    return rankOf(md5(bytes, bytes.length)[0]!, this.#weights?.[node]);
  }
}

const xorshiftMultiplier: Word64 = /* @__PURE__ */ new Word64(0x2545f491, 0x4f6cdd1d);

/** xorshift64* of the key's and the host's xxh64, its lower 53 bits as a fraction. */
export class EnvoyRanks implements Ranks {
  readonly #weights: Float64Array;
  readonly #hosts: readonly Word64[];
  readonly #key: Word64 = new Word64();
  readonly #draw: Word64 = new Word64();

  constructor(members: Members) {
    const total = members.reduce((sum, { weight }) => sum + weight, 0);
    this.#weights = Float64Array.from(members, ({ weight }) => weight / total);
    this.#hosts = members.map(({ id }) => {
      const bytes = bytesOf(id);
      return new Word64().copy(xxh64(bytes, bytes.length, 0));
    });
  }

  load(key: HashKey): void {
    const { bytes, length } = encode(key);
    this.#key.copy(xxh64(bytes, length, 0));
  }

  of(node: number): number {
    const draw = this.#draw.copy(this.#key).xor(this.#hosts[node]!);
    draw.xorRight(12).xorLeft(25).xorRight(27).multiply(xorshiftMultiplier);
    const u = ((draw.hi & 0x1f_ffff) * 2 ** 32 + (draw.lo >>> 0)) / 2 ** 53;
    return -this.#weights[node]! / (approximateLog2(u) * Math.LN2);
  }
}

const float: DataView = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(8));

/**
 * Envoy's logarithm: the exponent, and a rational approximation for a mantissa in [0.75, 1.5). It is off by up to 1e-4,
 * which decides some keys, so nothing more exact will do.
 */
function approximateLog2(x: number): number {
  float.setFloat64(0, x);
  const upper = float.getUint32(0);
  const exponent = 1023 ^ ((upper >>> 19) & 1);
  float.setUint32(0, (exponent << 20) | (upper & 0xf_ffff));
  const t = float.getFloat64(0) - 1;
  return ((upper >>> 20) & 0x7ff) - exponent + (t * (0.338953 * t + 2.198599)) / (t + 1.523692);
}

/** Up to four bytes as a little-endian number. */
function little(bytes: Uint8Array, from: number, count: number): number {
  let word = 0;
  for (let i = count - 1; i >= 0; i -= 1) word = (word << 8) | bytes[from + i]!;
  return word;
}
