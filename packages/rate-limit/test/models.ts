/**
 * The five algorithms once more, as plainly as they can be told: whole events in lists and exact integers, nothing kept
 * up to date. Times are ticks of 1/1024 ms since 1970.
 */
export interface Said {
  readonly allowed: boolean;
  readonly remaining: number;
  readonly retryAfterMs: number;
  readonly resetMs: number;
}

export interface Model {
  check(now: number, cost: number): Said;
  peek(now: number, cost: number): Said;
  charge(now: number, cost: number): void;
  refund(now: number, cost: number): void;
}

export interface Shape {
  readonly limit: number;
  readonly perMs: number;
  readonly capacity: number;
}

abstract class Plain implements Model {
  readonly shape: Shape;
  readonly per: number;

  constructor(shape: Shape) {
    this.shape = shape;
    this.per = shape.perMs * 1024;
  }

  abstract fits(now: number, cost: number): boolean;
  abstract remaining(now: number): number;
  /** All that was charged has been forgotten by then, at the latest. */
  abstract horizon(now: number): number;
  abstract fresh(now: number): boolean;
  abstract charge(now: number, cost: number): void;
  abstract refund(now: number, cost: number): void;

  check(now: number, cost: number): Said {
    const allowed = this.fits(now, cost);
    const retryAfterMs = this.retry(now, cost);
    if (allowed) this.charge(now, cost);
    return { allowed, retryAfterMs, remaining: this.remaining(now), resetMs: this.reset(now) };
  }

  peek(now: number, cost: number): Said {
    const retryAfterMs = this.retry(now, cost);
    return {
      allowed: retryAfterMs === 0,
      retryAfterMs,
      remaining: this.remaining(now),
      resetMs: this.reset(now),
    };
  }

  /** Tries it: the first tick from now on at which the cost fits, if nothing else comes. */
  retry(now: number, cost: number): number {
    if (cost > this.shape.capacity) return Number.POSITIVE_INFINITY;
    return this.#first(now, (then) => this.fits(then, cost));
  }

  reset(now: number): number {
    return this.#first(now, (then) => this.fresh(then));
  }

  #first(now: number, holds: (then: number) => boolean): number {
    if (holds(now)) return 0;
    let low = now;
    let high = this.horizon(now);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (holds(middle)) high = middle;
      else low = middle;
    }
    return Math.ceil((high - now) / 1024);
  }
}

export class PlainFixedWindow extends Plain {
  readonly used = new Map<number, number>();

  window(now: number): number {
    return Math.floor(now / this.per);
  }
  units(now: number): number {
    return this.used.get(this.window(now)) ?? 0;
  }
  fits(now: number, cost: number): boolean {
    return this.units(now) + cost <= this.shape.limit;
  }
  remaining(now: number): number {
    return Math.max(0, this.shape.limit - this.units(now));
  }
  horizon(now: number): number {
    return (this.window(now) + 1) * this.per;
  }
  fresh(now: number): boolean {
    return this.units(now) === 0;
  }
  charge(now: number, cost: number): void {
    this.used.set(this.window(now), Math.min(this.units(now) + cost, 2 * this.shape.limit));
  }
  refund(now: number, cost: number): void {
    this.used.set(this.window(now), Math.max(0, this.units(now) - cost));
  }
}

export class PlainSlidingWindow extends PlainFixedWindow {
  /** Units times the length of a window. */
  weight(now: number): bigint {
    const former = BigInt(this.used.get(this.window(now) - 1) ?? 0);
    const left = BigInt((this.window(now) + 1) * this.per - now);
    return BigInt(this.units(now)) * BigInt(this.per) + former * left;
  }
  override fits(now: number, cost: number): boolean {
    return this.weight(now) + BigInt(cost) * BigInt(this.per) <= BigInt(this.shape.limit) * BigInt(this.per);
  }
  override remaining(now: number): number {
    const room = BigInt(this.shape.limit) * BigInt(this.per) - this.weight(now);
    return room < 0n ? 0 : Number(room / BigInt(this.per));
  }
  override horizon(now: number): number {
    return (this.window(now) + 2) * this.per;
  }
  override fresh(now: number): boolean {
    return this.weight(now) === 0n;
  }
}

export class PlainSlidingLog extends Plain {
  hits: number[] = [];

  within(now: number): number[] {
    return this.hits.filter((hit) => now - hit < this.per);
  }
  fits(now: number, cost: number): boolean {
    return this.within(now).length + cost <= this.shape.limit;
  }
  remaining(now: number): number {
    return Math.max(0, this.shape.limit - this.within(now).length);
  }
  horizon(now: number): number {
    return now + this.per;
  }
  fresh(now: number): boolean {
    return this.within(now).length === 0;
  }
  charge(now: number, cost: number): void {
    this.hits = this.within(now);
    const units = Math.min(cost, 2 * this.shape.limit - this.hits.length);
    this.hits.push(...new Array<number>(Math.max(0, units)).fill(now));
  }
  refund(now: number, cost: number): void {
    const held = this.within(now);
    this.hits = held.slice(0, Math.max(0, held.length - cost));
  }
}

/** Tokens times the length of a period, in exact integers; negative in debt. */
export class PlainBucket extends Plain {
  held: bigint;
  at = 0;

  constructor(shape: Shape) {
    super(shape);
    this.held = this.full;
  }

  get full(): bigint {
    return BigInt(this.shape.capacity) * BigInt(this.per);
  }
  level(now: number): bigint {
    const filled = this.held + BigInt(now - this.at) * BigInt(this.shape.limit);
    return filled > this.full ? this.full : filled;
  }
  fits(now: number, cost: number): boolean {
    return this.level(now) >= BigInt(cost) * BigInt(this.per);
  }
  remaining(now: number): number {
    const level = this.level(now);
    return level < 0n ? 0 : Number(level / BigInt(this.per));
  }
  horizon(now: number): number {
    return now + Math.ceil((2 * this.shape.capacity * this.per) / this.shape.limit) + 1;
  }
  fresh(now: number): boolean {
    return this.level(now) === this.full;
  }
  charge(now: number, cost: number): void {
    const after = this.level(now) - BigInt(cost) * BigInt(this.per);
    this.held = after < -this.full ? -this.full : after;
    this.at = now;
  }
  refund(now: number, cost: number): void {
    const after = this.level(now) + BigInt(cost) * BigInt(this.per);
    this.held = after > this.full ? this.full : after;
    this.at = now;
  }
}
