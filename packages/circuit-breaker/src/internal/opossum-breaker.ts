/// <reference path="./opossum-module.d.ts" />
import type { Awaitable, Clock, Json, Sample } from '@weir/core';
import type Circuit from 'opossum';
import type { BreakerState, CallBreaker, ExecuteOptions } from '../call-breaker.ts';
import { BreakerOpenError } from '../errors.ts';
import { actionsOf } from './actions.ts';
import { attempt, deadlineOf } from './attempt.ts';
import { breakerSamples, noCalls } from './samples.ts';

export interface Setup {
  readonly clock: Clock;
  readonly lease: number;
  /** How often the window turns by one bucket; Infinity where opossum does it by its own timer. */
  readonly stepMs: number;
  /** Whether the circuit was made here, and is shut down from here. */
  readonly owned: boolean;
}

/** The first argument of a call that is ours; the circuit's action hands it the promise to be settled. */
class Call {
  end: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.end = { resolve, reject };
    });
  }
}

/**
 * opossum behind the interface of a breaker. The function itself runs outside of opossum, which only gets a promise
 * that is settled with the verdict, or never settled where the call is to count for nothing.
 */
export class OpossumBreaker implements CallBreaker {
  readonly kind = 'breaker';
  readonly name: string;
  readonly #circuit: Circuit;
  readonly #setup: Setup;
  readonly #counts = noCalls();
  #forced: 'open' | 'closed' | undefined;
  /** Grows with each change of state, so that a result that comes late is known. */
  #epoch = 0;
  #openedAt: number;
  #probeSince: number | undefined;
  #step: number;

  constructor(circuit: Circuit, setup: Setup) {
    this.name = circuit.name;
    this.#circuit = circuit;
    this.#setup = setup;
    this.#openedAt = this.#now();
    this.#step = this.#stepNow();
    harden(circuit);
    this.#listen();
  }

  /** In front of all listeners, because one that throws keeps those behind it from being called. */
  #listen(): void {
    const circuit = this.#circuit;
    const counts = this.#counts;
    circuit.prependListener('success', () => {
      counts.success += 1;
    });
    circuit.prependListener('failure', () => {
      counts.failure += 1;
    });
    circuit.prependListener('reject', () => {
      counts.refused += 1;
    });
    circuit.prependListener('open', () => {
      counts.opened += 1;
      this.#openedAt = this.#now();
      this.#changed();
    });
    circuit.prependListener('close', () => {
      this.#forget();
      this.#changed();
    });
    circuit.prependListener('halfOpen', () => {
      this.#changed();
      if (this.#forced === 'open') circuit.open();
    });
  }

  #changed(): void {
    this.#epoch += 1;
    this.#probeSince = undefined;
  }

  get state(): BreakerState {
    if (this.#forced !== undefined) return this.#forced;
    const { closed, halfOpen } = this.#circuit;
    if (halfOpen) return 'half-open';
    return closed ? 'closed' : 'open';
  }

  get retryAfterMs(): number {
    const openFor = Number(this.#circuit.options.resetTimeout);
    if (this.#forced === 'open') return openFor;
    return this.state === 'open' ? Math.max(0, this.#openedAt + openFor - this.#now()) : 0;
  }

  async execute<T>(fn: (signal: AbortSignal) => Awaitable<T>, options: ExecuteOptions<T> = {}): Promise<T> {
    options.signal?.throwIfAborted();
    const deadline = deadlineOf(options) || Number(this.#circuit.options.timeout || 0);
    if (this.#forced === 'closed') return attempt(fn, options, deadline, () => {});
    const { end, refusal } = this.#admit();
    if (end === undefined) throw new BreakerOpenError(this.name, this.retryAfterMs, { cause: await refusal });
    const epoch = this.#epoch;
    return attempt(fn, options, deadline, (verdict, error) => {
      if (epoch !== this.#epoch || verdict === 'ignore') {
        this.#drop(epoch === this.#epoch);
        return;
      }
      this.#turn();
      if (verdict === 'success') end.resolve();
      else end.reject(error ?? new Error('the answer was judged a failure'));
    });
  }

  #admit(): { end: Call['end']; refusal?: Promise<unknown> } {
    const circuit = this.#circuit;
    this.#turn();
    if (this.#refuses()) {
      circuit.emit('reject', undefined);
      return { end: undefined };
    }
    if (circuit.halfOpen) this.#probeSince = this.#now();
    const call = new Call();
    // opossum's timeout would count a call that was given up as a failure; `attempt` keeps time instead.
    const { timeout } = circuit.options;
    circuit.options.timeout = false;
    const fired = circuit.call(undefined, call).then(
      () => undefined,
      (error: unknown) => error,
    );
    circuit.options.timeout = timeout;
    return { end: call.end, refusal: fired };
  }

  #refuses(): boolean {
    const circuit = this.#circuit;
    if (this.#forced === 'open' || circuit.isShutdown) return true;
    if (circuit.closed || circuit.pendingClose || !circuit.enabled) return false;
    if (circuit.halfOpen) {
      // Also a probe of the circuit's own `fire`, from when it was first met.
      this.#probeSince ??= this.#now();
      if (this.#now() - this.#probeSince >= this.#setup.lease) circuit.open();
    }
    return true;
  }

  /** Leaves the promise that opossum waits for unsettled, but not the place that the call has taken. */
  #drop(current: boolean): void {
    const circuit = this.#circuit;
    circuit.semaphore.release();
    if (!current) {
      this.#counts.stale += 1;
      return;
    }
    this.#counts.ignored += 1;
    // opossum has no way to give the one probe's place to another call.
    if (circuit.halfOpen) circuit.open();
  }

  forceOpen(): void {
    this.#forced = 'open';
    this.#circuit.enable();
    this.#circuit.open();
  }

  forceClose(): void {
    this.#forced = 'closed';
    this.#circuit.close();
    this.#circuit.disable();
    this.#changed();
  }

  reset(): void {
    this.#forced = undefined;
    this.#circuit.enable();
    this.#circuit.close();
    this.#forget();
    this.#changed();
  }

  snapshot(): { readonly [name: string]: Json } {
    return {
      state: this.state,
      forced: this.#forced !== undefined,
      engine: 'opossum',
      retryAfterMs: this.retryAfterMs,
    };
  }

  metrics(): readonly Sample[] {
    return breakerSamples(this.name, this.state, this.#counts);
  }

  get actions(): { readonly [name: string]: () => void } {
    return actionsOf(this);
  }

  close(): void {
    if (this.#setup.owned && !this.#circuit.isShutdown) this.#circuit.shutdown();
  }

  /** Turns the window as far as time has passed. */
  #turn(): void {
    const step = this.#stepNow();
    for (let left = Math.min(step - this.#step, this.#buckets()); left > 0; left -= 1) {
      this.#circuit.status.rotateBucket();
    }
    this.#step = step;
  }

  #forget(): void {
    for (let left = this.#buckets(); left > 0; left -= 1) this.#circuit.status.rotateBucket();
  }

  #buckets(): number {
    return Number(this.#circuit.options.rollingCountBuckets ?? 10);
  }

  #stepNow(): number {
    return Math.floor(this.#now() / this.#setup.stepMs);
  }

  #now(): number {
    return this.#setup.clock.now();
  }
}

/** Mends what can be mended from outside; also good for the circuit's own `fire`. */
function harden(circuit: Circuit): void {
  const { action, emit } = circuit;
  const { errorFilter } = circuit.options;
  // A call is ours if its first argument is; anything else is a `fire` of the circuit's owner.
  circuit.action = function (this: unknown, ...args) {
    return args[0] instanceof Call ? args[0].start() : action.apply(this, args);
  };
  circuit.options = {
    ...circuit.options,
    errorFilter: (...args: unknown[]) => {
      try {
        return typeof errorFilter === 'function' && errorFilter(...args);
      } catch (fault) {
        return warn(fault);
      }
    },
  };
  circuit.emit = (event, ...args) => {
    try {
      return emit.call(circuit, event, ...args);
    } catch (fault) {
      return warn(fault);
    }
  };
}

function warn(fault: unknown): false {
  process.emitWarning(fault instanceof Error ? fault : String(fault));
  return false;
}
