import type { Awaitable, Clock } from '@weir/core';
import { ticksPerMs } from '../internal/column.ts';
import { Store, type StoreAnswer, type StoreKey, type StoreRequest } from '../store.ts';
import { Batcher } from './batcher.ts';
import type { Answer, Counts, Question } from './counts.ts';
import type { Denials } from './denials.ts';
import { type LeaseSettings, Leases } from './leases.ts';

interface Settings {
  readonly mode: 'exact' | 'batched' | 'leased';
  readonly lease: LeaseSettings;
  readonly clock: Clock;
  readonly cluster: boolean;
}

export class RedisStore extends Store {
  readonly #counts: Counts;
  readonly #denials: Denials;
  readonly #batcher: Batcher | undefined;
  readonly #leases: Leases | undefined;

  constructor(counts: Counts, denials: Denials, { mode, lease, clock, cluster }: Settings) {
    super();
    this.#counts = counts;
    this.#denials = denials;
    if (mode === 'exact') return;
    const batcher = new Batcher(counts, cluster);
    if (mode === 'batched') this.#batcher = batcher;
    else this.#leases = new Leases(counts, batcher, lease, clock);
  }

  decide(request: StoreRequest): Awaitable<StoreAnswer> {
    if (request.mode === 'charge') return this.#leases?.take(request) ?? this.#charge(request);
    return this.#look(request);
  }

  async adjust(key: StoreKey, units: number): Promise<void> {
    await this.#tell(key, 'a', units);
  }

  async block(key: StoreKey, ms: number): Promise<void> {
    this.#leases?.giveBack(key);
    await this.#tell(key, 'b', ms < Number.POSITIVE_INFINITY ? Math.ceil(ms * ticksPerMs) : -1);
  }

  async reset(key: StoreKey): Promise<void> {
    this.#leases?.forget(key);
    const { keys } = this.#counts.question(key, 'p', 0);
    this.#denials.forget(keys[0]!);
    await this.#counts.forget(keys);
    this.#denials.forget(keys[0]!);
  }

  override async close(limiter: string): Promise<void> {
    await this.#leases?.close(limiter);
  }

  #charge(request: StoreRequest): Awaitable<StoreAnswer> {
    const { cost } = request;
    const question = this.#counts.question(request, 'c', cost);
    return this.#denials.find(question.keys[0]!, cost) ?? this.#ask(question, request);
  }

  async #look(request: StoreRequest): Promise<StoreAnswer> {
    const { mode, cost } = request;
    const answer = await this.#ask(
      this.#counts.question(request, mode === 'turn' ? 't' : 'p', cost),
      request,
    );
    return this.#leases?.withLease(request, answer) ?? answer;
  }

  async #tell(key: StoreKey, what: 'a' | 'b', value: number): Promise<void> {
    const question = this.#counts.question(key, what, value);
    this.#denials.forget(question.keys[0]!);
    await this.#ask(question, key);
    // What was on its way may have been refused before.
    this.#denials.forget(question.keys[0]!);
  }

  #ask(question: Question, { timeoutMs }: StoreKey): Promise<Answer> {
    return this.#batcher?.ask(question) ?? this.#counts.ask(question, timeoutMs);
  }
}
