import type { Awaitable, Clock } from '@weir/core';
import { ticksPerMs } from '../internal/column.ts';
import type { LimitState } from '../limit.ts';
import type { StoreAnswer, StoreKey } from '../store.ts';
import type { Batcher } from './batcher.ts';
import type { Answer, Counts, Question } from './counts.ts';
import type { LimitSet } from './limit-set.ts';

/** At saturation Redis is asked for a key no more often, ms: else grants dwindle to single units. */
const PACE = 20;
/** So long at most, ms: then a reset or refund in another process is noticed. */
const LONGEST_PAUSE = 1000;
/** For so long after nothing was left a limit counts as saturated, ms. */
const SATURATED = 1000;

/** Units taken in advance, and until when they may be spent. */
interface Part {
  units: number;
  readonly until: number;
  /** The server's time when they were charged, ticks. */
  readonly granted: number;
}

interface Waiter {
  readonly cost: number;
  resolve(answer: StoreAnswer): void;
  reject(error: unknown): void;
}

/**
 * Units of one key that this process has charged in Redis and not spent.
 *
 * They are charged before they are spent, so no more is ever admitted than Redis has counted. With N processes, leases of
 * B units for L ms, a bucket of b and a rate of r, no span of T ms admits more than b + rT + min(N * B, rL).
 */
export class Lease {
  readonly #counts: Counts;
  readonly #batcher: Batcher;
  readonly #key: StoreKey;
  readonly #set: LimitSet;
  readonly #most: number;
  readonly #forMs: number;
  readonly #clock: Clock;
  #parts: Part[] = [];
  #balance = 0;
  readonly #waiting: Waiter[] = [];
  #asking = false;
  /** What Redis said last, and when. */
  #limits: readonly LimitState[] = [];
  #saidAt = 0;
  /** Redis is not asked until then. */
  #pausedUntil = 0;
  #blockedUntil = 0;
  /** Since then Redis has had something left each time. */
  #emptyAt = Number.NEGATIVE_INFINITY;
  /** Units to ask for: twice as many when a lease was spent, half as many when it ran out. */
  #size = 1;

  constructor(
    counts: Counts,
    batcher: Batcher,
    key: StoreKey,
    set: LimitSet,
    size: { readonly most: number; readonly forMs: number },
    clock: Clock,
  ) {
    this.#counts = counts;
    this.#batcher = batcher;
    this.#key = key;
    this.#set = set;
    this.#most = size.most;
    this.#forMs = size.forMs;
    this.#clock = clock;
  }

  /** Spends what is held; asks Redis for more if that is too little. */
  take(cost: number): Awaitable<StoreAnswer> {
    const now = this.#clock.now();
    if (this.#parts.length > 0 && this.#parts[0]!.until <= now) this.#expireParts(now);
    if (this.#waiting.length === 0) {
      const known = this.#limits.length > 0 && now >= this.#blockedUntil;
      if (cost <= this.#balance && known) return this.#spend(cost, now);
      if (now < this.#pausedUntil) return this.#refusal(cost, now);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ cost, resolve, reject });
      this.#askMore();
    });
  }

  /** What Redis says, with what is held here. */
  added(answer: StoreAnswer, cost: number): StoreAnswer {
    if (this.#balance === 0 || answer.blockedMs > 0) return answer;
    const enough = cost <= this.#balance;
    const limits = answer.limits.map((limit) => ({
      ...limit,
      remaining: Math.min(limit.limit, limit.remaining + this.#balance),
      retryAfterMs: enough ? 0 : limit.retryAfterMs,
    }));
    return { ...answer, limits };
  }

  /** Gives back what has run out. @returns whether nothing is left of it. */
  expire(now: number): boolean {
    this.#expireParts(now);
    return this.#balance === 0 && this.#waiting.length === 0 && !this.#asking && now >= this.#pausedUntil;
  }

  /** Gives back all that is held. */
  async giveBack(): Promise<void> {
    const parts = this.#parts;
    this.forget();
    await Promise.all(parts.map((part) => this.#return(part)));
  }

  /** Drops all that is held, and what was known. */
  forget(): void {
    this.#parts = [];
    this.#balance = 0;
    this.#limits = [];
    this.#pausedUntil = 0;
    this.#blockedUntil = 0;
    this.#emptyAt = Number.NEGATIVE_INFINITY;
  }

  #askMore(): void {
    const [head] = this.#waiting;
    if (this.#asking || head === undefined) return;
    this.#asking = true;
    const sentAt = this.#clock.now();
    const least = head.cost - this.#balance;
    const queued = this.#waiting.reduce((sum, { cost }) => sum + cost, 0);
    const wanted = Math.min(this.#most, Math.max(queued, this.#size)) - this.#balance;
    const question = this.#counts.question(this.#key, 'l', Math.max(0, least), Math.max(0, least, wanted));
    const late = (answer: Answer): void => {
      if (answer.granted > 0) void this.#return({ units: answer.granted, until: 0, granted: answer.now });
    };
    this.#batcher.ask(question, late).then(
      (answer) => {
        this.#asking = false;
        this.#heard(question, answer, sentAt);
      },
      (error) => {
        this.#asking = false;
        for (const { reject } of this.#waiting.splice(0)) reject(error);
      },
    );
  }

  /** Serves those who wait from what was granted. */
  #heard(question: Question, answer: Answer, sentAt: number): void {
    const now = this.#clock.now();
    this.#limits = answer.limits;
    this.#saidAt = now;
    this.#blockedUntil = now + answer.blockedMs;
    if (answer.granted > 0) {
      const until = sentAt + Math.min(this.#forMs, this.#leftMs(answer.now));
      this.#parts.push({ units: answer.granted, until, granted: answer.now });
      this.#balance += answer.granted;
      if (answer.granted >= question.second)
        this.#size = Math.min(this.#most, 2 * Math.max(this.#size, answer.granted));
    }
    const [head] = this.#waiting;
    const refused = head !== undefined && (head.cost > this.#balance || answer.blockedMs > 0);
    if (refused) {
      this.#emptyAt = now;
      this.#pausedUntil = now + pauseAfter(question.first, answer);
    } else if (answer.granted < question.second && now - this.#emptyAt < SATURATED) {
      this.#pausedUntil = now + PACE;
    }
    this.#expireParts(now);
    this.#serve(now);
  }

  #serve(now: number): void {
    while (this.#waiting.length > 0) {
      const { cost, resolve } = this.#waiting[0]!;
      if (cost <= this.#balance && now >= this.#blockedUntil) resolve(this.#spend(cost, now));
      else if (now < this.#pausedUntil) resolve(this.#refusal(cost, now));
      else {
        this.#askMore();
        return;
      }
      this.#waiting.shift();
    }
  }

  #spend(cost: number, now: number): StoreAnswer {
    this.#balance -= cost;
    let left = cost;
    while (left > 0) {
      const part = this.#parts[0]!;
      const some = Math.min(left, part.units);
      part.units -= some;
      left -= some;
      if (part.units === 0) this.#parts.shift();
    }
    const ago = now - this.#saidAt;
    const limits: LimitState[] = [];
    for (const { policy, limit, remaining, resetMs, windowMs } of this.#limits) {
      limits.push({
        policy,
        limit,
        remaining: Math.min(limit, remaining + this.#balance),
        retryAfterMs: 0,
        resetMs: Math.max(0, Math.ceil(resetMs - ago)),
        windowMs,
      });
    }
    return { limits, blockedMs: 0 };
  }

  #refusal(cost: number, now: number): StoreAnswer {
    const ago = now - this.#saidAt;
    const pause = this.#pausedUntil - now;
    const limits = this.#limits.map((limit) => ({
      ...limit,
      remaining: Math.min(limit.limit, limit.remaining + this.#balance),
      retryAfterMs:
        cost > limit.limit ? Number.POSITIVE_INFINITY : Math.ceil(Math.max(pause, limit.retryAfterMs - ago)),
      resetMs: Math.max(0, Math.ceil(limit.resetMs - ago)),
    }));
    return { limits, blockedMs: Math.max(0, Math.ceil(this.#blockedUntil - now)) };
  }

  #expireParts(now: number): void {
    while (this.#parts.length > 0 && this.#parts[0]!.until <= now) {
      const part = this.#parts.shift()!;
      this.#balance -= part.units;
      this.#size = Math.max(1, Math.floor(this.#size / 2));
      void this.#return(part);
    }
  }

  async #return({ units, granted }: Part): Promise<void> {
    try {
      await this.#batcher.ask(this.#counts.question(this.#key, 'r', units, granted));
    } catch {
      // Lost then, as if this process had died: until the limit has room again.
    }
  }

  /** How long the present window still lasts: units of it are not spent in the next one. */
  #leftMs(ticks: number): number {
    const { windowMs } = this.#set;
    if (windowMs === Number.POSITIVE_INFINITY) return windowMs;
    return windowMs - ((ticks / ticksPerMs) % windowMs);
  }
}

/** Where a single unit was refused nothing less can be had any earlier than it. */
function pauseAfter(least: number, { limits, blockedMs }: Answer): number {
  const waits = least > 1 && blockedMs === 0 ? [] : limits.map(({ retryAfterMs }) => retryAfterMs);
  return Math.max(PACE, Math.min(LONGEST_PAUSE, Math.max(blockedMs, ...waits)));
}
