/**
 * A 64-bit integer in two signed halves, changed in place: BigInt would allocate with every step. Arithmetic is modulo
 * 2^64.
 */
export class Word64 {
  hi: number;
  lo: number;

  constructor(hi = 0, lo = 0) {
    this.hi = hi | 0;
    this.lo = lo | 0;
  }

  set(hi: number, lo: number): this {
    this.hi = hi | 0;
    this.lo = lo | 0;
    return this;
  }

  copy(other: Word64): this {
    return this.set(other.hi, other.lo);
  }

  add(other: Word64): this {
    const lo = (this.lo >>> 0) + (other.lo >>> 0);
    return this.set(this.hi + other.hi + (lo > 0xffff_ffff ? 1 : 0), lo);
  }

  xor(other: Word64): this {
    return this.set(this.hi ^ other.hi, this.lo ^ other.lo);
  }

  multiply(other: Word64): this {
    const hi = Math.imul(this.hi, other.lo) + Math.imul(this.lo, other.hi) + highProduct(this.lo, other.lo);
    return this.set(hi, Math.imul(this.lo, other.lo));
  }

  /** Rotates left by 1 to 63 bits, but not by 32. */
  rotate(by: number): this {
    const { hi, lo } = this;
    const bits = by & 31;
    const left = (hi << bits) | (lo >>> (32 - bits));
    const right = (lo << bits) | (hi >>> (32 - bits));
    return by < 32 ? this.set(left, right) : this.set(right, left);
  }

  /** `x ^= x >> by`, for 1 to 63 bits. */
  xorRight(by: number): this {
    const { hi, lo } = this;
    return by < 32
      ? this.set(hi ^ (hi >>> by), lo ^ ((lo >>> by) | (hi << (32 - by))))
      : this.set(hi, lo ^ (hi >>> (by - 32)));
  }

  /** `x ^= x << by`, for 1 to 31 bits. */
  xorLeft(by: number): this {
    const { hi, lo } = this;
    return this.set(hi ^ ((hi << by) | (lo >>> (32 - by))), lo ^ (lo << by));
  }

  /** The remainder, unsigned, for a divisor up to 2^26. */
  modulo(by: number): number {
    const high = ((this.hi >>> 0) % by) * (2 ** 32 % by);
    return (high + (this.lo >>> 0)) % by;
  }
}

/** The upper half of the unsigned product of two 32-bit halves. */
function highProduct(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const middle = ah * bl + ((al * bl) >>> 16);
  return ah * bh + (middle >>> 16) + ((al * bh + (middle & 0xffff)) >>> 16);
}
