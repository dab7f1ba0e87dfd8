import { type Awaitable, InvalidOptionError, type Json, type Sample } from '@weir/core';
import type { BreakerOptions } from './breaker-options.ts';
import type { BreakerState, CallBreaker, ExecuteOptions } from './call-breaker.ts';
import { BreakerOpenError } from './errors.ts';
import { actionsOf } from './internal/actions.ts';
import { attempt, deadlineOf } from './internal/attempt.ts';
import { retryAfterOf } from './internal/retry-after.ts';
import { breakerSamples, noCalls } from './internal/samples.ts';
import { readName, readSettings } from './internal/settings.ts';
import { StateMachine } from './internal/state-machine.ts';

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

/** What a call's promise is continued with. */
interface Settle {
  readonly permit: number;
  readonly onValue: <T>(value: T) => T;
  readonly onError: (error: unknown) => never;
}

/** The state machine as a component, and around functions. */
export class PermitBreaker extends StateMachine implements Breaker {
  /** Of the last call. Most calls share their permit with it, and two closures less make a call a fifth cheaper. */
  #settle: Settle | undefined;

  get kind(): 'breaker' {
    return 'breaker';
  }

  execute<T>(fn: (signal: AbortSignal) => Awaitable<T>, options?: ExecuteOptions<T>): Promise<T> {
    if (options !== undefined || fn.length > 0) return this.#executeWith(fn, options ?? {});
    const permit = this.tryAcquire();
    if (permit === 0) return Promise.reject(this.#refusal());
    const settle = this.#settle?.permit === permit ? this.#settle : this.#settleFor(permit);
    // Chained by hand: an async function here costs half as much again as the whole call.
    return start(fn as () => Awaitable<T>).then(settle.onValue<T>, settle.onError);
  }

  #settleFor(permit: number): Settle {
    this.#settle = {
      permit,
      onValue: (value) => {
        this.success(permit);
        return value;
      },
      onError: (error) => {
        this.failure(permit, undefined, retryAfterOf(error));
        throw error;
      },
    };
    return this.#settle;
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

  save(): SavedBreaker {
    const { state, forced, failedRounds, retryAfterMs } = this;
    return { state, forced, failedRounds, openUntil: this.settings.clock.epoch() + retryAfterMs };
  }

  restore(saved: SavedBreaker): void {
    const { state, forced, failedRounds = 0, openUntil = 0 } = saved ?? {};
    const known = state === 'closed' || state === 'open' || state === 'half-open';
    if (!known || !(failedRounds >= 0) || !Number.isFinite(openUntil)) {
      throw new InvalidOptionError('saved', 'what save() gave', saved);
    }
    const { clock, maxOpenFor } = this.settings;
    this.reset();
    if (forced === true) {
      if (state === 'closed') this.forceClose();
      else this.forceOpen();
    } else if (state !== 'closed') {
      this.openFor(Math.max(0, Math.min(openUntil - clock.epoch(), maxOpenFor)), failedRounds);
    }
  }

  snapshot(): { readonly [name: string]: Json } {
    const { state, forced, inFlight, failedRounds, retryAfterMs } = this;
    const { calls, failures, slow } = this.tally();
    return { state, forced, calls, failures, slow, inFlight, failedRounds, retryAfterMs };
  }

  metrics(): readonly Sample[] {
    return breakerSamples(this.name, this.state, this.counts);
  }

  get actions(): { readonly [name: string]: () => void } {
    return actionsOf(this);
  }
}

const start = <T>(fn: () => Awaitable<T>): Promise<T> => {
  try {
    return Promise.resolve(fn());
  } catch (error) {
    return Promise.reject(error);
  }
};
