import type { Clock } from '@weir/core';
import type { LimitState } from '../limit.ts';
import type { StoreAnswer } from '../store.ts';

/** Keys remembered at most; the oldest goes. */
const MOST_KEYS = 10_000;
/** So long at most, ms: then a reset or refund in another process is noticed. */
const LONGEST = 1000;

interface Denial {
  readonly cost: number;
  readonly at: number;
  readonly until: number;
  readonly answer: StoreAnswer;
}

/**
 * Refusals that need no question, for the same cost: nothing makes room before its time but a reset or a refund. Another
 * cost may fit, or never fit, so it is asked for.
 */
export class Denials {
  readonly #clock: Clock;
  readonly #denials = new Map<string, Denial>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(key: string, cost: number): StoreAnswer | undefined {
    const denial = this.#denials.size === 0 ? undefined : this.#denials.get(key);
    if (denial === undefined || cost !== denial.cost) return undefined;
    const now = this.#clock.now();
    if (now < denial.until) return aged(denial.answer, now - denial.at);
    this.#denials.delete(key);
    return undefined;
  }

  /** Remembers an answer to that cost, if it is a refusal. */
  note(key: string, cost: number, answer: StoreAnswer): void {
    const waits = answer.limits.map(({ retryAfterMs }) => retryAfterMs);
    const ms = Math.max(answer.blockedMs, ...waits);
    if (ms === 0) return;
    const at = this.#clock.now();
    this.#denials.delete(key);
    if (this.#denials.size >= MOST_KEYS) this.#denials.delete(this.#denials.keys().next().value!);
    this.#denials.set(key, {
      cost,
      at,
      until: at + Math.min(ms, LONGEST),
      answer,
    });
  }

  forget(key: string): void {
    this.#denials.delete(key);
  }
}

function aged(answer: StoreAnswer, ms: number): StoreAnswer {
  const less = (time: number): number => Math.max(0, Math.ceil(time - ms));
  return {
    blockedMs: less(answer.blockedMs),
    limits: answer.limits.map(
      (limit): LimitState => ({
        ...limit,
        retryAfterMs: less(limit.retryAfterMs),
        resetMs: less(limit.resetMs),
      }),
    ),
  };
}
