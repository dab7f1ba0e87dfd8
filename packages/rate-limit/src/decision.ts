import type { Limit, LimitState } from './limit.ts';

/**
 * The answer to one request. A refusal is a value. Times are lengths of time, in whole ms, rounded up. Nothing in it
 * changes later.
 */
export interface Decision {
  readonly allowed: boolean;
  /** Of the tightest limit: the one that refused longest, or the one with the least left. */
  readonly limit: number;
  /** Of the same limit: what can still be had. */
  readonly remaining: number;
  /** 0 if allowed. A retry at that instant is admitted, if nobody else was. Infinity: never, at this cost. */
  readonly retryAfterMs: number;
  /** How long until the same limit is as if the key had never been seen. */
  readonly resetMs: number;
  /** The name of the same limit; 'blocked' after `block`, 'store-error' if a store failed and nobody decided. */
  readonly policy: string;
  /** Each limit in the order given. Empty if a store failed and nobody decided. */
  readonly limits: readonly LimitState[];
}

/** The decision of a single limit. The list is made when it is asked for, as it seldom is. */
export class SingleDecision implements Decision {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  readonly retryAfterMs: number;
  readonly resetMs: number;
  readonly policy: string;
  readonly #of: Limit;

  constructor(of: Limit, remaining: number, retryAfterMs: number, resetMs: number) {
    this.allowed = retryAfterMs === 0;
    this.limit = of.capacity;
    this.remaining = remaining;
    this.retryAfterMs = retryAfterMs;
    this.resetMs = resetMs;
    this.policy = of.name;
    this.#of = of;
  }

  get limits(): readonly LimitState[] {
    const { policy, limit, remaining, retryAfterMs, resetMs } = this;
    return [{ policy, limit, remaining, retryAfterMs, resetMs, windowMs: this.#of.windowMs }];
  }

  toJSON(): Decision {
    return { ...this, limits: this.limits };
  }
}

/** Where several limits decide, or a block: the tightest speaks for all of them, a longer block for the tightest. */
export function joined(limits: readonly LimitState[], blockedMs: number): Decision {
  let tightest = limits[0]!;
  for (const state of limits) {
    const longer = state.retryAfterMs > tightest.retryAfterMs;
    const equal = state.retryAfterMs === tightest.retryAfterMs;
    if (longer || (equal && state.remaining < tightest.remaining)) tightest = state;
  }
  const { limit, remaining, retryAfterMs, resetMs, policy } = tightest;
  if (blockedMs <= retryAfterMs) {
    return { allowed: retryAfterMs === 0, limit, remaining, retryAfterMs, resetMs, policy, limits };
  }
  return {
    allowed: false,
    limit,
    remaining: 0,
    retryAfterMs: blockedMs,
    resetMs: Math.max(blockedMs, resetMs),
    policy: 'blocked',
    limits,
  };
}
