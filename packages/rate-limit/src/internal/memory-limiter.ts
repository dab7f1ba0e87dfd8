import type { Duration, Json, Sample } from '@weir/core';
import type { Decision } from '../decision.ts';
import { InvalidLimitsError } from '../errors.ts';
import type { Limit } from '../limit.ts';
import type { CheckOptions, Limiter, WaitOptions } from '../limiter.ts';
import { ticksPerMs } from './column.ts';
import { Counts, sample } from './counts.ts';
import { Ledger, type Mode } from './ledger.ts';
import { checkCost, checkKey, readBlock, readMaxWait, type Settings } from './settings.ts';
import { Timeline } from './timeline.ts';
import { WaitQueue } from './wait-queue.ts';

/** How many different sets of limits a function may return. */
const mostSets = 64;

export class MemoryLimiter implements Limiter {
  readonly kind = 'limiter';
  readonly name: string;
  readonly actions: Limiter['actions'] = { reset: (key) => this.reset(key as string) };
  readonly #settings: Settings;
  readonly #timeline: Timeline;
  readonly #counts: Counts = new Counts();
  readonly #queue: WaitQueue;
  /** The one ledger, unless limits are a function. */
  readonly #only: Ledger | undefined;
  readonly #ledgers = new Map<string, Ledger>();

  constructor(settings: Settings) {
    const { name, limits, clock, maxWaiting } = settings;
    this.name = name;
    this.#settings = settings;
    this.#timeline = new Timeline(clock);
    this.#only = typeof limits === 'function' ? undefined : this.#open('', limits);
    this.#queue = new WaitQueue(
      {
        attempt: (key, cost) => this.decide(key, cost, 'turn'),
        peek: (key, cost) => this.decide(key, cost, 'peek'),
        delay: (key, cost, ahead) => this.#ledger(key).delay(key, cost, ahead) / ticksPerMs,
        refund: (key, cost) => this.refund(key, cost),
      },
      clock,
      maxWaiting,
    );
  }

  check(key: string, options?: CheckOptions): Decision {
    const cost = options?.cost === undefined ? 1 : options.cost;
    checkKey(key);
    checkCost(cost);
    const ledger = this.#only ?? this.#ledgerOf(key);
    return this.#counts.count(ledger.check(key, cost), options?.shadow);
  }

  peek(key: string, { cost = 1 }: CheckOptions = {}): Decision {
    return this.decide(key, cost, 'peek');
  }

  /** A decision that is not counted. 'turn': as the first in a queue. */
  decide(key: string, cost: number, mode: Mode): Decision {
    return this.#ledger(key, cost).decide(key, cost, mode);
  }

  reset(key: string): void {
    this.#ledger(key).reset(key);
  }

  block(key: string, length: Duration): void {
    this.#ledger(key).block(key, Math.ceil(readBlock(length) * ticksPerMs));
  }

  refund(key: string, cost: number): void {
    this.#ledger(key, cost).refund(key, cost);
  }

  charge(key: string, cost: number): void {
    this.#ledger(key, cost).charge(key, cost);
  }

  async wait(key: string, options: WaitOptions = {}): Promise<Decision> {
    const { cost = 1, maxWait, signal, shadow } = options;
    this.#ledger(key, cost);
    const ms = readMaxWait(maxWait);
    signal?.throwIfAborted();
    return this.#counts.count(await this.#queue.wait(key, cost, ms, signal), shadow);
  }

  close(): void {
    this.#queue.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  snapshot(): { readonly [name: string]: Json } {
    const { maxKeys, storage, limits } = this.#settings;
    return {
      limits: typeof limits === 'function' ? 'by key' : limits.map(({ name }) => name),
      storage: storage.kind,
      maxKeys,
      ...this.#totals(),
      ...this.#counts,
    };
  }

  metrics(): readonly Sample[] {
    const { name } = this;
    const { keys, waiting, evicted, overflowed } = this.#totals();
    return [
      ...this.#counts.samples(name),
      sample('keys', 'Keys remembered, idle ones included.', name, keys),
      sample('waiting', 'Calls of wait that are pending.', name, waiting),
      sample('evictions_total', 'Keys forgotten before they were idle.', name, evicted),
      sample('overflows_total', 'Decisions on counts that keys share.', name, overflowed),
    ];
  }

  #totals(): { keys: number; waiting: number; evicted: number; overflowed: number } {
    const totals = { keys: 0, waiting: this.#queue.size, evicted: 0, overflowed: 0 };
    for (const { index } of this.#ledgers.values()) {
      totals.keys += index.size;
      totals.evicted += index.evicted;
      totals.overflowed += index.overflowed;
    }
    return totals;
  }

  /** Where the key is counted. Key and cost are checked on the way. */
  #ledger(key: string, cost = 0): Ledger {
    checkKey(key);
    checkCost(cost);
    return this.#only ?? this.#ledgerOf(key);
  }

  #ledgerOf(key: string): Ledger {
    const limits = (this.#settings.limits as (key: string) => readonly Limit[])(key);
    const id = limits.map((limit) => limit.id).join();
    return this.#ledgers.get(id) ?? this.#open(id, limits);
  }

  #open(id: string, limits: readonly Limit[]): Ledger {
    if (this.#ledgers.size === mostSets) {
      throw new InvalidLimitsError(`\`limits\` may return at most ${mostSets} different sets of limits`);
    }
    const { storage, maxKeys } = this.#settings;
    const ledger = new Ledger(limits, this.#timeline, (slots) => storage.open(maxKeys, slots));
    this.#ledgers.set(id, ledger);
    return ledger;
  }
}
