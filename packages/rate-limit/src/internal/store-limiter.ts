import {
  type Awaitable,
  channel,
  Deadline,
  Deadlines,
  type Duration,
  duration,
  fraction,
  type Json,
  oneOf,
  type Sample,
} from '@weir/core';
import { type Decision, joined } from '../decision.ts';
import { StoreError } from '../errors.ts';
import type { Limit } from '../limit.ts';
import type { AsyncLimiter, CheckOptions, StoreLimiterOptions, WaitOptions } from '../limiter.ts';
import type { Store, StoreAnswer, StoreKey, StoreRequest } from '../store.ts';
import { Counts, sample } from './counts.ts';
import { MemoryLimiter } from './memory-limiter.ts';
import {
  checkCost,
  checkKey,
  readBlock,
  readMaxWait,
  readSettings,
  type Settings,
  storeOptionNames,
} from './settings.ts';
import { isThenable } from './thenable.ts';
import { WaitQueue } from './wait-queue.ts';

const errorChannel = /* @__PURE__ */ channel('weir:rate-limit:store-error');

class Wait extends Deadline {
  readonly expire: () => void;

  constructor(expire: () => void) {
    super();
    this.expire = expire;
  }
}

/** A limiter over a store, with a deadline for every answer and something to do when none comes. */
export class StoreLimiter implements AsyncLimiter {
  readonly kind = 'limiter';
  readonly name: string;
  readonly actions: AsyncLimiter['actions'] = { reset: (key) => this.reset(key as string) };
  readonly #store: Store;
  readonly #settings: Settings;
  readonly #limits: (key: string) => readonly Limit[];
  readonly #timeoutMs: number;
  readonly #onStoreError: 'local' | 'open' | 'closed';
  /** Counts what this process admits, to go on with when the store fails. */
  readonly #local: MemoryLimiter | undefined;
  readonly #deadlines: Deadlines = new Deadlines();
  readonly #counts: Counts = new Counts();
  #storeErrors = 0;
  readonly #queue: WaitQueue;

  constructor(store: Store, options: StoreLimiterOptions) {
    const settings = readSettings(options, storeOptionNames);
    const { limits, clock, maxWaiting } = settings;
    this.name = settings.name;
    this.#store = store;
    this.#settings = settings;
    this.#limits = typeof limits === 'function' ? limits : () => limits;
    this.#timeoutMs = duration(options.storeTimeout ?? 250, 'storeTimeout', { min: 1, max: 60_000 });
    this.#onStoreError = oneOf(options.onStoreError ?? 'local', 'onStoreError', ['local', 'open', 'closed']);
    const part = fraction(options.localShare ?? 1, 'localShare');
    if (this.#onStoreError === 'local') this.#local = new MemoryLimiter(shared(settings, part));
    this.#queue = new WaitQueue(
      {
        attempt: async (key, cost) => this.#decide(key, cost, 'turn'),
        peek: async (key, cost) => this.#decide(key, cost, 'peek'),
        delay: (key, cost, ahead) => (this.#fits(key, cost, ahead) ? 0 : Number.POSITIVE_INFINITY),
        refund: (key, cost) => void this.refund(key, cost).catch(() => {}),
      },
      clock,
      maxWaiting,
    );
  }

  check(key: string, options?: CheckOptions): Promise<Decision> {
    try {
      const decision = this.#decide(key, checked(key, options?.cost), 'charge', options?.shadow);
      return decision instanceof Promise ? decision : Promise.resolve(decision);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async peek(key: string, options?: CheckOptions): Promise<Decision> {
    return this.#decide(key, checked(key, options?.cost), 'peek');
  }

  async reset(key: string): Promise<void> {
    checkKey(key);
    this.#local?.reset(key);
    await this.#tell(() => this.#store.reset(this.#key(key)));
  }

  async block(key: string, length: Duration): Promise<void> {
    checkKey(key);
    const ms = readBlock(length);
    this.#local?.block(key, ms);
    await this.#tell(() => this.#store.block(this.#key(key), ms));
  }

  async refund(key: string, cost: number): Promise<void> {
    checked(key, cost);
    this.#local?.refund(key, cost);
    await this.#tell(() => this.#store.adjust(this.#key(key), -cost));
  }

  async charge(key: string, cost: number): Promise<void> {
    checked(key, cost);
    this.#local?.charge(key, cost);
    await this.#tell(() => this.#store.adjust(this.#key(key), cost));
  }

  async wait(key: string, options: WaitOptions = {}): Promise<Decision> {
    const { maxWait, signal, shadow } = options;
    const cost = checked(key, options.cost);
    const ms = readMaxWait(maxWait);
    signal?.throwIfAborted();
    return this.#counts.count(await this.#queue.wait(key, cost, ms, signal), shadow);
  }

  async close(): Promise<void> {
    this.#queue.close();
    await this.#tell(() => this.#store.close?.(this.name));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  snapshot(): { readonly [name: string]: Json } {
    const { limits } = this.#settings;
    return {
      limits: typeof limits === 'function' ? 'by key' : limits.map(({ name }) => name),
      onStoreError: this.#onStoreError,
      storeErrors: this.#storeErrors,
      waiting: this.#queue.size,
      ...this.#counts,
    };
  }

  metrics(): readonly Sample[] {
    const { name } = this;
    return [
      ...this.#counts.samples(name),
      sample('waiting', 'Calls of wait that are pending.', name, this.#queue.size),
      sample('store_errors_total', 'Calls of the store that failed or were late.', name, this.#storeErrors),
    ];
  }

  #decide(
    key: string,
    cost: number,
    mode: StoreRequest['mode'],
    shadow?: boolean,
  ): Decision | Promise<Decision> {
    const { name: limiter } = this;
    const request = { limiter, key, limits: this.#limits(key), timeoutMs: this.#timeoutMs, cost, mode };
    let answer: Awaitable<StoreAnswer>;
    try {
      answer = this.#store.decide(request);
      if (!isThenable(answer)) return this.#decided(request, answer, shadow);
    } catch (error) {
      return this.#instead(request, shadow, error);
    }
    return this.#decideLater(request, answer, shadow);
  }

  /** With callbacks, and not `await`, because most decisions come through here. */
  #decideLater(
    request: StoreRequest,
    answer: PromiseLike<StoreAnswer>,
    shadow: boolean | undefined,
  ): Promise<Decision> {
    return new Promise((resolve, reject) => {
      const instead = (cause?: unknown): void => {
        try {
          resolve(this.#instead(request, shadow, cause));
        } catch (error) {
          reject(error);
        }
      };
      const wait = new Wait(instead);
      this.#deadlines.start(wait, this.#timeoutMs);
      answer.then(
        (value) => {
          if (!this.#deadlines.end(wait)) return;
          try {
            resolve(this.#decided(request, value, shadow));
          } catch (error) {
            instead(error);
          }
        },
        (cause) => {
          if (this.#deadlines.end(wait)) instead(cause);
        },
      );
    });
  }

  #decided(request: StoreRequest, { limits, blockedMs }: StoreAnswer, shadow: boolean | undefined): Decision {
    const { key, cost, mode } = request;
    const decision = joined(limits, blockedMs);
    if (decision.allowed && mode !== 'peek') this.#local?.charge(key, cost);
    return this.#counted(request, decision, shadow);
  }

  /** One that waits is counted when it is through. */
  #counted({ mode }: StoreRequest, decision: Decision, shadow: boolean | undefined): Decision {
    return mode === 'charge' ? this.#counts.count(decision, shadow) : decision;
  }

  /** The decision when the store gave none. */
  #instead(request: StoreRequest, shadow: boolean | undefined, cause?: unknown): Decision {
    this.#fault(cause);
    const { key, cost, mode } = request;
    const decision = this.#local?.decide(key, cost, mode) ?? this.#undecided();
    return this.#counted(request, decision, shadow);
  }

  #undecided(): Decision {
    const allowed = this.#onStoreError === 'open';
    const units = allowed ? Number.POSITIVE_INFINITY : 0;
    const ms = allowed ? 0 : 1000;
    return {
      allowed,
      limit: units,
      remaining: units,
      retryAfterMs: ms,
      resetMs: ms,
      policy: 'store-error',
      limits: [],
    };
  }

  /** Rejects with a StoreError if the store fails or is late. */
  #tell(call: () => Awaitable<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = new Wait(() => reject(this.#fault()));
      this.#deadlines.start(wait, this.#timeoutMs);
      const told = async (): Promise<void> => call();
      told().then(
        () => {
          this.#deadlines.end(wait);
          resolve();
        },
        (cause) => {
          if (this.#deadlines.end(wait)) reject(this.#fault(cause));
        },
      );
    });
  }

  #fault(cause?: unknown): StoreError {
    this.#storeErrors += 1;
    const error = new StoreError(this.#timeoutMs, cause);
    if (errorChannel.hasSubscribers) errorChannel.publish({ limiter: this.name, error });
    return error;
  }

  #key(key: string): StoreKey {
    return { limiter: this.name, key, limits: this.#limits(key), timeoutMs: this.#timeoutMs };
  }

  /** Whether one behind `ahead` queued units may queue too. */
  #fits(key: string, cost: number, ahead: number): boolean {
    return this.#limits(key).every(
      ({ algorithm, capacity }) => cost + (algorithm === 'leaky-bucket' ? ahead : 0) <= capacity,
    );
  }
}

function checked(key: unknown, cost: unknown = 1): number {
  checkKey(key);
  checkCost(cost);
  return cost;
}

/** The same with a part of each limit. */
function shared(settings: Settings, part: number): Settings {
  const { limits } = settings;
  if (part === 1) return settings;
  const some = (all: readonly Limit[]): readonly Limit[] => all.map((limit) => limit.share(part));
  return { ...settings, limits: typeof limits === 'function' ? (key) => some(limits(key)) : some(limits) };
}
