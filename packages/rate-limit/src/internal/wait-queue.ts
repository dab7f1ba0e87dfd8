import type { Awaitable, Clock } from '@weir/core';
import type { Decision } from '../decision.ts';
import { isThenable } from './thenable.ts';

/** The longest that a timer can be set for, ms. */
export const longestTimer: number = 2 ** 31 - 1;

/** What a queue asks of its limiter. */
export interface Turnstile {
  /** Charges `cost` if it is the turn of one that queues. */
  attempt(key: string, cost: number): Awaitable<Decision>;
  peek(key: string, cost: number): Awaitable<Decision>;
  refund(key: string, cost: number): void;
  /** At least so many ms until the turn of one behind `ahead` queued units; Infinity if the queue has no room. */
  delay(key: string, cost: number, ahead: number): number;
}

interface Waiter {
  readonly cost: number;
  /** When it gives up, on the clock. */
  readonly deadline: number;
  /** Lets it go, with an answer or an error. False if it had gone already. */
  end(answer: Decision | undefined, error?: unknown): boolean;
}

interface Queue {
  readonly key: string;
  readonly waiters: Set<Waiter>;
  /** Units that those who wait ask for. */
  cost: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** An attempt is under way. */
  busy: boolean;
  /** How long the first in line was told to wait. */
  headMs: number;
}

/** Those who wait, first come first served within a key. */
export class WaitQueue {
  /** How many wait, over all keys. */
  size = 0;
  readonly #turnstile: Turnstile;
  readonly #clock: Clock;
  readonly #max: number;
  readonly #queues = new Map<string, Queue>();

  constructor(turnstile: Turnstile, clock: Clock, max: number) {
    this.#turnstile = turnstile;
    this.#clock = clock;
    this.#max = max;
  }

  /** Resolves with a refusal if there is no room or time is up; rejects if `signal` aborts or an attempt fails. */
  wait(key: string, cost: number, ms: number, signal: AbortSignal | undefined): Promise<Decision> {
    const queue = this.#queues.get(key) ?? {
      key,
      waiters: new Set<Waiter>(),
      cost: 0,
      timer: undefined,
      busy: false,
      headMs: 0,
    };
    const { waiters } = queue;
    const delay = this.#turnstile.delay(key, cost, queue.cost);
    if (delay > ms || (waiters.size > 0 && this.size >= this.#max)) {
      return this.#refuse(key, cost, delay < Number.POSITIVE_INFINITY ? delay : queue.headMs);
    }
    this.#queues.set(key, queue);
    return new Promise((resolve, reject) => {
      const end = (answer: Decision | undefined, error?: unknown): boolean => {
        if (!waiters.delete(waiter)) return false;
        clearTimeout(expiry);
        signal?.removeEventListener('abort', abort);
        this.size -= 1;
        queue.cost -= cost;
        if (answer === undefined) reject(error);
        else resolve(answer);
        // The next in line may be cheaper.
        if (!queue.busy) this.#serve(queue);
        return true;
      };
      const waiter: Waiter = { cost, deadline: this.#clock.now() + ms, end };
      const abort = (): void => void end(undefined, signal!.reason);
      // Not unref'd, no more than the other one: whoever awaits an answer wants the process to live until it is there.
      const expiry = setTimeout(() => this.#expire(queue, waiter), Math.ceil(ms));
      signal?.addEventListener('abort', abort);
      waiters.add(waiter);
      this.size += 1;
      queue.cost += cost;
      if (waiters.size === 1 && !queue.busy) this.#serve(queue);
    });
  }

  /** Refuses all who wait. */
  close(): void {
    for (const queue of this.#queues.values()) {
      for (const waiter of queue.waiters) this.#dismiss(queue, waiter);
    }
  }

  /** Lets go whose turn it is, and sleeps until it is the next one's. */
  #serve(queue: Queue): void {
    clearTimeout(queue.timer);
    queue.busy = true;
    for (const waiter of queue.waiters) {
      const answer = this.#turnstile.attempt(queue.key, waiter.cost);
      if (isThenable(answer)) {
        answer.then(
          (late) => {
            if (this.#pass(queue, waiter, late)) this.#serve(queue);
            else queue.busy = false;
          },
          (error) => {
            waiter.end(undefined, error);
            this.#serve(queue);
          },
        );
        return;
      }
      if (this.#pass(queue, waiter, answer)) continue;
      queue.busy = false;
      return;
    }
    queue.busy = false;
    this.#queues.delete(queue.key);
  }

  /** True if the first in line is gone, one way or the other. */
  #pass(queue: Queue, waiter: Waiter, answer: Decision): boolean {
    const { key, waiters } = queue;
    if (answer.allowed) {
      if (!waiter.end(answer)) this.#turnstile.refund(key, waiter.cost);
      return true;
    }
    if (!waiters.has(waiter)) return true;
    queue.headMs = answer.retryAfterMs;
    if (queue.headMs > waiter.deadline - this.#clock.now() || this.size > this.#max)
      return waiter.end(answer);
    queue.timer = setTimeout(() => this.#serve(queue), Math.min(Math.ceil(queue.headMs), longestTimer));
    return false;
  }

  #expire(queue: Queue, waiter: Waiter): void {
    // Its turn may have come in this very millisecond.
    if (!queue.busy) this.#serve(queue);
    if (queue.waiters.has(waiter)) this.#dismiss(queue, waiter);
  }

  #dismiss(queue: Queue, waiter: Waiter): void {
    this.#refuse(queue.key, waiter.cost, queue.headMs).then(waiter.end, (error) =>
      waiter.end(undefined, error),
    );
  }

  /** A refusal, also of one who might be admitted, were it not for those in front. */
  async #refuse(key: string, cost: number, retryAfterMs: number): Promise<Decision> {
    const answer = await this.#turnstile.peek(key, cost);
    if (!answer.allowed) return answer;
    return { ...answer, allowed: false, retryAfterMs: Math.max(1, retryAfterMs) };
  }
}
