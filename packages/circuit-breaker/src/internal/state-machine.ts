import { type Channel, channel } from '@weir/core';
import type { BreakerState } from '../call-breaker.ts';
import type { CallCounts } from './samples.ts';
import type { Settings } from './settings.ts';
import { FAILED, SLOW, type Tally, tallyFor } from './tally.ts';

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
 * Who may call, and what the reports of those calls do. It knows nothing of functions, promises and timers; time is the
 * clock of its settings.
 */
export class StateMachine {
  readonly name: string;
  /** Told with changes of state, where the keys of a set are no secrets. */
  readonly #key: string | undefined;
  protected readonly settings: Settings;
  protected readonly counts: CallCounts;
  #tally: Tally;
  #state = CLOSED;
  /**
   * Last permit or period; only ever grows, so that no permit of an earlier period is valid again. It is the permit of
   * all calls of a period in which they are not told apart.
   */
  #serial = 0;
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

  constructor(name: string, settings: Settings, counts: CallCounts, key?: string) {
    this.name = name;
    this.#key = key;
    this.settings = settings;
    this.counts = counts;
    this.#tally = tallyFor(settings);
    this.#enter(CLOSED);
  }

  get state(): BreakerState {
    const due = this.#state === OPEN && this.#now() >= this.#until;
    return states[due ? HALF_OPEN : this.#state]!;
  }

  get forced(): boolean {
    return this.#state === FORCED_OPEN || this.#state === FORCED_CLOSED;
  }

  get retryAfterMs(): number {
    if (this.#state === FORCED_OPEN) return this.settings.openFor;
    return this.#state === OPEN ? Math.max(0, this.#until - this.#now()) : 0;
  }

  get failedRounds(): number {
    return this.#failedRounds;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** What would be lost with it: its state, calls under way and failures, or nothing to speak of. */
  get holds(): 'state' | 'counts' | 'nothing' {
    if (this.#state !== CLOSED && this.#state !== WATCHING) return 'state';
    return this.#inFlight + this.#streak > 0 ? 'counts' : 'nothing';
  }

  /** What the window holds now. */
  tally(): Pick<Tally, 'calls' | 'failures' | 'slow'> {
    this.#tally.advance(this.#now());
    return this.#tally;
  }

  tryAcquire(): number {
    // Most calls by far. Everything else is below.
    if (this.#state === CLOSED) {
      this.#inFlight += 1;
      return this.#serial;
    }
    const permit = this.#acquire();
    if (permit === 0) this.counts.refused += 1;
    else this.#inFlight += 1;
    return permit;
  }

  #acquire(): number {
    if (this.#state === FORCED_OPEN) return 0;
    if (this.#state === FORCED_CLOSED) return this.#serial;
    const now = this.#now();
    if (this.#state === WATCHING) {
      if (!this.#admittedByRamp(now)) return 0;
      if (this.#late === undefined) return this.#serial;
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
    if (this.#take(permit) !== undefined) this.counts.ignored += 1;
  }

  /** Ends a call: when it began, 0 if that is not known, undefined if it no longer matters. */
  #take(permit: number): number | undefined {
    let began: number | undefined;
    if (this.#calls === undefined) {
      if (permit === this.#serial && this.#inFlight > 0) began = 0;
    } else {
      const held = this.#calls.has(permit) ? this.#calls : this.#late;
      began = held?.get(permit);
      held?.delete(permit);
    }
    if (began === undefined) this.counts.stale += 1;
    else this.#inFlight -= 1;
    return began;
  }

  /** Small enough to be inlined: most reports go no further. */
  #report(permit: number, failed: number, ms: number | undefined, retryAfterMs: number): void {
    if (this.#state !== CLOSED || permit !== this.#serial || this.#inFlight === 0) {
      this.#reportOther(permit, failed, ms, retryAfterMs);
      return;
    }
    this.#inFlight -= 1;
    this.#count(failed);
    this.#record(failed, this.settings.timed ? this.#now() : 0, retryAfterMs);
  }

  #reportOther(permit: number, failed: number, ms: number | undefined, retryAfterMs: number): void {
    const began = this.#take(permit);
    if (began === undefined) return;
    this.#count(failed);
    const { timed, slowAfter, probes } = this.settings;
    const apart = this.#calls !== undefined;
    const now = apart || timed ? this.#now() : 0;
    const slow = apart && slowAfter > 0 && (ms ?? now - began) > slowAfter;
    const bits = slow ? failed | SLOW : failed;
    if (this.#state === HALF_OPEN) {
      this.#streak += 1;
      if (bits !== 0) this.#open(this.#failedRounds + 1, retryAfterMs);
      else if (this.#streak === probes) this.#close(true);
    } else if (this.#state !== FORCED_CLOSED) {
      this.#record(bits, now, retryAfterMs);
    }
  }

  #count(failed: number): void {
    if (failed === 0) this.counts.success += 1;
    else this.counts.failure += 1;
  }

  #record(bits: number, now: number, retryAfterMs: number): void {
    const tally = this.#tally;
    tally.add(bits, now);
    this.#streak = (bits & FAILED) === 0 ? 0 : this.#streak + 1;
    if (tally.failures + tally.slow > 0 || this.#late !== undefined) this.#judge(retryAfterMs);
  }

  #judge(retryAfterMs: number): void {
    const { calls, failures, slow } = this.#tally;
    const late = this.#late === undefined ? 0 : this.#late.size;
    const { inARow, minimum, failureRate, slowRate } = this.settings;
    if (
      (inARow > 0 && this.#streak >= inARow) ||
      (failureRate > 0 && calls >= minimum && failures / calls >= failureRate) ||
      (calls + late >= minimum && (slow + late) / (calls + late) >= slowRate)
    ) {
      this.#open(0, retryAfterMs);
    }
  }

  /** Whether a probe may start, having made an open breaker half-open when its time is up. */
  #probeFits(now: number): boolean {
    const { probes, lease } = this.settings;
    if (this.#state === OPEN) {
      if (now < this.#until) return false;
      this.#enter(HALF_OPEN);
    }
    // Whoever was told of the change may have made another one.
    if (this.#state !== HALF_OPEN) return false;
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
    const { rampUp, random } = this.settings;
    return random() < Math.max(1 - (this.#until - now) / rampUp, LEAST_RAMP);
  }

  /** Each call is looked at once when it becomes late and once when it is given up: O(1) a call. */
  #watchAges(now: number): void {
    const { slowAfter, lease } = this.settings;
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

  /** Opens for exactly so long, after so many failed rounds. */
  protected openFor(ms: number, failedRounds: number): void {
    this.#failedRounds = failedRounds;
    this.#until = this.#now() + ms;
    this.#enter(OPEN);
  }

  #open(failedRounds: number, retryAfterMs: number): void {
    const { openFor, maxOpenFor, jitter, random } = this.settings;
    const grown = Math.min(openFor * 2 ** failedRounds, maxOpenFor);
    const length = jitter === 0 ? grown : grown * (1 - jitter * random());
    this.counts.opened += 1;
    this.openFor(Math.max(length, Math.min(retryAfterMs, LONGEST_RETRY_AFTER)), failedRounds);
  }

  #close(ramp: boolean): void {
    this.#failedRounds = 0;
    this.#tally = tallyFor(this.settings);
    this.#enter(CLOSED, ramp);
  }

  /** The last thing that any change of state does, so that who is told of it finds all as it will stay. */
  #enter(state: number, ramp = false): void {
    const from = states[this.#state]!;
    const to = states[state]!;
    this.#state = state;
    this.#serial += 1;
    this.#inFlight = this.#streak = 0;
    this.#calls = state === HALF_OPEN ? new Map() : undefined;
    this.#late = undefined;
    if (state === CLOSED) this.#watch(ramp);
    if (from === to || !transitions.hasSubscribers) return;
    const key = this.#key;
    transitions.publish({ breaker: this.name, ...(key === undefined ? {} : { key }), from, to });
  }

  #watch(ramp: boolean): void {
    const { slowAfter, rampUp } = this.settings;
    if (slowAfter > 0) {
      this.#calls = new Map();
      this.#late = new Map();
    } else if (!ramp || rampUp === 0) return;
    this.#state = WATCHING;
    this.#until = ramp ? this.#now() + rampUp : Number.NEGATIVE_INFINITY;
  }

  #now(): number {
    return this.settings.clock.now();
  }
}
