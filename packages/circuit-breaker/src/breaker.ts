import {
  type Awaitable,
  type Channel,
  channel,
  InvalidOptionError,
  type Json,
  type Sample,
} from '@weir/core';
import type { BreakerOptions } from './breaker-options.ts';
import type { BreakerState, CallBreaker, ExecuteOptions } from './call-breaker.ts';
import { BreakerOpenError } from './errors.ts';
import { actionsOf } from './internal/actions.ts';
import { attempt, deadlineOf } from './internal/attempt.ts';
import { breakerSamples, type CallCounts, noCalls } from './internal/samples.ts';
import { readName, readSettings, type Settings } from './internal/settings.ts';
import { FAILED, SLOW, type Tally, tallyFor } from './internal/tally.ts';

/** What {@link Breaker.save} gives: plain JSON. */
export interface SavedBreaker {
  readonly state: BreakerState;
  readonly forced: boolean;
  /** Rounds of probes that have failed since the breaker was last closed. */
  readonly failedRounds: number;
  /** When the time open ends, ms since 1970. */
  readonly openUntil: number;
}

/**
 * A circuit breaker that hands out permits. Every permit is reported once, with `success`, `failure` or `ignore`.
 *
 * A permit belongs to the period of the state that gave it: a report that comes after the state has changed, or twice,
 * changes nothing. In the closed state, with `slowCallAfter` off, permits are not told apart, and a second report is
 * noticed only when no other call is under way.
 */
export interface Breaker extends CallBreaker {
  /**
   * Asks to make a call. Never waits, never throws.
   *
   * @returns a permit, or 0: refused. Closed, a few ns; open, one clock read.
   */
  tryAcquire(): number;
  /** The call went well. `ms`: how long it took, for `slowCallAfter`; measured here if left out. O(1). */
  success(permit: number, ms?: number): void;
  /**
   * The call failed. O(1) at any window.
   *
   * @param retryAfterMs how long the service asked to be left alone: the breaker, if this failure opens it, stays open
   *   at least as long, up to one hour.
   */
  failure(permit: number, ms?: number, retryAfterMs?: number): void;
  /** The call says nothing about the service. Gives a probe's place back. */
  ignore(permit: number): void;
  /** The state, to be given to `restore` after a restart. The window is not kept. */
  save(): SavedBreaker;
  /**
   * Takes up a saved state. Time that has passed since counts as time open; a state from the future, after a jump of
   * the wall clock, is open for `maxOpenFor` at most.
   *
   * @throws InvalidOptionError if it is not what `save` gave.
   */
  restore(saved: SavedBreaker): void;
}

const CLOSED = 0;
const OPEN = 1;
const HALF_OPEN = 2;
const FORCED_OPEN = 3;
const FORCED_CLOSED = 4;
/** Closed, but with ages to watch or a ramp to climb, so that each call is looked at. */
const WATCHING = 5;
const states = ['closed', 'open', 'half-open', 'open', 'closed', 'closed'] as const;

const LONGEST_RETRY_AFTER = 3_600_000;
const LEAST_RAMP = 0.1;

const transitions: Channel = channel('weir:circuit-breaker:state');

/**
 * Makes a circuit breaker. It owns no timer; about 600 bytes.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const breaker = createBreaker({ name: 'prices', failureRate: 0.5, openFor: '10s' });
 * const prices = await breaker.execute((signal) => fetch('https://prices.example/all', { signal }));
 */
export function createBreaker(options: BreakerOptions = {}): Breaker {
  const settings = readSettings(options, 'createBreaker');
  return new PermitBreaker(readName('breaker', options), settings, noCalls());
}

export class PermitBreaker implements Breaker {
  readonly name: string;
  readonly #settings: Settings;
  readonly #counts: CallCounts;
  #tally: Tally;
  #state = CLOSED;
  /** Last permit or period; only ever grows, so that no permit of an earlier period is valid again. */
  #serial = 0;
  /** The permit of all calls of this period, where they are not told apart. */
  #stamp = 0;
  #inFlight = 0;
  /** Calls told apart, by permit, with the time each began, oldest first. */
  #calls: Map<number, number> | undefined;
  /** Those of them that have become slow while under way. */
  #late: Map<number, number> | undefined;
  /** Failures in a row when closed, successes in a row when half-open. */
  #streak = 0;
  #failedRounds = 0;
  /** When the time open ends; when closed, the ramp. */
  #until = 0;

  constructor(name: string, settings: Settings, counts: CallCounts) {
    this.name = name;
    this.#settings = settings;
    this.#counts = counts;
    this.#tally = tallyFor(settings);
    this.#enter(CLOSED);
    this.#watch(false);
  }

  get kind(): 'breaker' {
    return 'breaker';
  }

  get state(): BreakerState {
    const due = this.#state === OPEN && this.#now() >= this.#until;
    return states[due ? HALF_OPEN : this.#state]!;
  }

  get retryAfterMs(): number {
    if (this.#state === FORCED_OPEN) return this.#settings.openFor;
    return this.#state === OPEN ? Math.max(0, this.#until - this.#now()) : 0;
  }

  tryAcquire(): number {
    // Most calls by far. Everything else is below.
    if (this.#state === CLOSED) {
      this.#inFlight += 1;
      return this.#stamp;
    }
    const permit = this.#acquire();
    if (permit === 0) this.#counts.refused += 1;
    else this.#inFlight += 1;
    return permit;
  }

  #acquire(): number {
    if (this.#state === FORCED_OPEN) return 0;
    if (this.#state === FORCED_CLOSED) return this.#stamp;
    const now = this.#now();
    if (this.#state === WATCHING) {
      if (!this.#admittedByRamp(now)) return 0;
      if (this.#late === undefined) return this.#stamp;
      this.#watchAges(now);
    }
    if (this.#state !== WATCHING && !this.#probeFits(now)) return 0;
    this.#serial += 1;
    this.#calls!.set(this.#serial, now);
    return this.#serial;
  }

  success(permit: number, ms?: number): void {
    this.#report(permit, 0, ms, 0);
  }

  failure(permit: number, ms?: number, retryAfterMs = 0): void {
    this.#report(permit, FAILED, ms, retryAfterMs);
  }

  ignore(permit: number): void {
    if (this.#take(permit) !== undefined) this.#counts.ignored += 1;
  }

  /** Ends a call: when it began, 0 if that is not known, undefined if it no longer matters. */
  #take(permit: number): number | undefined {
    let began: number | undefined;
    if (this.#calls === undefined) {
      if (permit === this.#stamp && this.#inFlight > 0) began = 0;
    } else {
      const held = this.#calls.has(permit) ? this.#calls : this.#late;
      began = held?.get(permit);
      held?.delete(permit);
    }
    if (began === undefined) this.#counts.stale += 1;
    else this.#inFlight -= 1;
    return began;
  }

  #report(permit: number, failed: number, ms: number | undefined, retryAfterMs: number): void {
    const began = this.#take(permit);
    if (began === undefined) return;
    if (failed === 0) this.#counts.success += 1;
    else this.#counts.failure += 1;
    const settings = this.#settings;
    const apart = this.#calls !== undefined;
    const now = apart || settings.timed ? this.#now() : 0;
    const bits = apart && (ms ?? now - began) > settings.slowAfter ? failed | SLOW : failed;
    if (this.#state === HALF_OPEN) {
      this.#streak += 1;
      if (bits !== 0) this.#open(this.#failedRounds + 1, retryAfterMs);
      else if (this.#streak === settings.probes) this.#close(true);
    } else if (this.#state !== FORCED_CLOSED) {
      this.#tally.add(bits, now);
      this.#streak = failed === 0 ? 0 : this.#streak + 1;
      this.#judge(retryAfterMs);
    }
  }

  #judge(retryAfterMs: number): void {
    const { calls, failures, slow } = this.#tally;
    const late = this.#late === undefined ? 0 : this.#late.size;
    if (failures + slow + late === 0) return;
    const { inARow, minimum, failureRate, slowRate } = this.#settings;
    if (
      this.#streak >= inARow ||
      (calls >= minimum && failures / calls >= failureRate) ||
      (calls + late >= minimum && (slow + late) / (calls + late) >= slowRate)
    ) {
      this.#open(0, retryAfterMs);
    }
  }

  /** Whether a probe may start, having made an open breaker half-open when its time is up. */
  #probeFits(now: number): boolean {
    const { probes, lease } = this.#settings;
    if (this.#state === OPEN) {
      if (now < this.#until) return false;
      this.#enter(HALF_OPEN);
      this.#calls = new Map();
    }
    const calls = this.#calls!;
    if (calls.size + this.#streak < probes) return true;
    for (const [permit, began] of calls) {
      if (now - began < lease) return false;
      calls.delete(permit);
      this.#inFlight -= 1;
      return true;
    }
    return false;
  }

  #admittedByRamp(now: number): boolean {
    if (now >= this.#until) {
      if (this.#late === undefined) this.#state = CLOSED;
      return true;
    }
    const { rampUp, random } = this.#settings;
    return random() < Math.max(1 - (this.#until - now) / rampUp, LEAST_RAMP);
  }

  /** Each call is looked at once when it becomes late and once when it is given up: O(1) a call. */
  #watchAges(now: number): void {
    const { slowAfter, lease } = this.#settings;
    const calls = this.#calls!;
    const late = this.#late!;
    for (const [permit, began] of calls) {
      if (now - began <= slowAfter) break;
      calls.delete(permit);
      late.set(permit, began);
    }
    if (late.size === 0) return;
    this.#tally.advance(now);
    for (const [permit, began] of late) {
      if (now - began < Math.max(lease, slowAfter)) break;
      late.delete(permit);
      this.#inFlight -= 1;
      this.#tally.add(SLOW, now);
    }
    this.#judge(0);
  }

  #open(failedRounds: number, retryAfterMs: number): void {
    const { openFor, maxOpenFor, jitter, random } = this.#settings;
    const grown = Math.min(openFor * 2 ** failedRounds, maxOpenFor);
    const length = jitter === 0 ? grown : grown * (1 - jitter * random());
    this.#failedRounds = failedRounds;
    this.#until = this.#now() + Math.max(length, Math.min(retryAfterMs, LONGEST_RETRY_AFTER));
    this.#enter(OPEN);
    this.#counts.opened += 1;
  }

  #close(ramp: boolean): void {
    this.#failedRounds = 0;
    this.#tally = tallyFor(this.#settings);
    this.#enter(CLOSED);
    this.#watch(ramp);
  }

  #watch(ramp: boolean): void {
    const { slowAfter, rampUp } = this.#settings;
    if (slowAfter !== Infinity) {
      this.#calls = new Map();
      this.#late = new Map();
    } else if (!ramp || rampUp === 0) return;
    this.#state = WATCHING;
    this.#until = ramp ? this.#now() + rampUp : Number.NEGATIVE_INFINITY;
  }

  #enter(state: number): void {
    const from = states[this.#state]!;
    const to = states[state]!;
    this.#state = state;
    this.#serial += 1;
    this.#stamp = this.#serial;
    this.#inFlight = this.#streak = 0;
    this.#calls = this.#late = undefined;
    if (from !== to && transitions.hasSubscribers) transitions.publish({ breaker: this.name, from, to });
  }

  execute<T>(fn: (signal: AbortSignal) => Awaitable<T>, options?: ExecuteOptions<T>): Promise<T> {
    if (options !== undefined || fn.length > 0) return this.#executeWith(fn, options ?? {});
    const permit = this.tryAcquire();
    if (permit === 0) return Promise.reject(this.#refusal());
    // Chained by hand: an async function here costs half as much again as the whole call.
    return start(fn as () => Awaitable<T>).then(
      (value) => {
        this.success(permit);
        return value;
      },
      (error: unknown) => {
        this.failure(permit, undefined, retryAfterOf(error));
        throw error;
      },
    );
  }

  async #executeWith<T>(fn: (signal: AbortSignal) => Awaitable<T>, options: ExecuteOptions<T>): Promise<T> {
    options.signal?.throwIfAborted();
    const deadline = deadlineOf(options);
    const permit = this.tryAcquire();
    if (permit === 0) throw this.#refusal();
    return attempt(fn, options, deadline, (verdict, error) => {
      if (verdict === 'success') this.success(permit);
      else if (verdict === 'failure') this.failure(permit, undefined, retryAfterOf(error));
      else this.ignore(permit);
    });
  }

  #refusal(): BreakerOpenError {
    return new BreakerOpenError(this.name, this.retryAfterMs);
  }

  forceOpen(): void {
    this.#enter(FORCED_OPEN);
  }

  forceClose(): void {
    this.reset();
    this.#enter(FORCED_CLOSED);
  }

  reset(): void {
    this.#close(false);
  }

  save(): SavedBreaker {
    return {
      state: this.state,
      forced: this.#forced,
      failedRounds: this.#failedRounds,
      openUntil: this.#settings.clock.epoch() + this.retryAfterMs,
    };
  }

  restore(saved: SavedBreaker): void {
    const { state, forced, failedRounds = 0, openUntil = 0 } = saved ?? {};
    if (!states.includes(state) || !(failedRounds >= 0) || !Number.isFinite(openUntil)) {
      throw new InvalidOptionError('saved', 'what save() gave', saved);
    }
    const { clock, maxOpenFor } = this.#settings;
    this.reset();
    if (forced === true) {
      this.#enter(state === 'closed' ? FORCED_CLOSED : FORCED_OPEN);
    } else if (state !== 'closed') {
      this.#failedRounds = failedRounds;
      this.#until = clock.now() + Math.max(0, Math.min(openUntil - clock.epoch(), maxOpenFor));
      this.#enter(OPEN);
    }
  }

  snapshot(): { readonly [name: string]: Json } {
    const { state, retryAfterMs } = this;
    this.#tally.advance(this.#now());
    const { calls, failures, slow } = this.#tally;
    return {
      state,
      forced: this.#forced,
      calls,
      failures,
      slow,
      inFlight: this.#inFlight,
      failedRounds: this.#failedRounds,
      retryAfterMs,
    };
  }

  metrics(): readonly Sample[] {
    return breakerSamples(this.name, this.state, this.#counts);
  }

  get actions(): { readonly [name: string]: () => void } {
    return actionsOf(this);
  }

  /** What would be lost with it: its state, calls under way and failures, or nothing to speak of. */
  get holds(): 'state' | 'counts' | 'nothing' {
    if (this.#state !== CLOSED && this.#state !== WATCHING) return 'state';
    return this.#inFlight + this.#streak > 0 ? 'counts' : 'nothing';
  }

  get #forced(): boolean {
    return this.#state === FORCED_OPEN || this.#state === FORCED_CLOSED;
  }

  #now(): number {
    return this.#settings.clock.now();
  }
}

/** What errors of this kit, and others that copy it, say about when to come back. */
const retryAfterOf = (error: unknown): number => {
  const ms = (error as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  return typeof ms === 'number' && ms > 0 ? ms : 0;
};

const start = <T>(fn: () => Awaitable<T>): Promise<T> => {
  try {
    return Promise.resolve(fn());
  } catch (error) {
    return Promise.reject(error);
  }
};
