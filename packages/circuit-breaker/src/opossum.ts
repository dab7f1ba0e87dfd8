/// <reference path="./internal/opossum-module.d.ts" />
import { EventEmitter } from 'node:events';
import {
  type Clock,
  type Duration,
  duration,
  fraction,
  InvalidOptionError,
  integer,
  knownOptions,
  systemClock,
} from '@weir/core';
import Circuit from 'opossum';
import type { CallBreaker } from './call-breaker.ts';
import { OpossumBreaker } from './internal/opossum-breaker.ts';
import { readName } from './internal/settings.ts';
import { type TimeWindow, timeWindow } from './window.ts';

export type { BreakerState, CallBreaker, ExecuteOptions, Verdict } from './call-breaker.ts';

export interface OpossumBreakerOptions {
  /** Shown in metrics, logs and errors. @default 'breaker-<n>' */
  readonly name?: string;
  /** Which calls the failure rate is taken over; opossum knows windows of time only. @default timeWindow('10s') */
  readonly window?: TimeWindow;
  /** Opens when this share of the calls in the window, or more, has failed. Above 0, at most 1. @default 0.5 */
  readonly failureRate?: number;
  /** Below so many calls begun in the window the rate says nothing. 1 or more. @default 10 */
  readonly minimumCalls?: number;
  /** How long it stays open before one probe is let through. At most 24 days. @default '30s' */
  readonly openFor?: Duration;
  /** A probe that has not ended for so long is given up, and the circuit opens again. @default '1m' */
  readonly probeLease?: Duration;
  /** Turns the window and measures the probe's lease; `openFor` runs on opossum's own timer. @default systemClock */
  readonly clock?: Clock;
}

/** What {@link fromOpossum} needs of an opossum circuit. Version 10 ships no types of its own. */
export interface OpossumCircuit {
  readonly name: string;
  fire(...args: never[]): Promise<unknown>;
  open(): void;
  close(): void;
}

const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Makes a breaker that opossum runs, without its defects that can be mended from outside. About 7 kB, and a
 * microsecond or two a call. The README lists what it cannot do.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const breaker = createOpossumBreaker({ name: 'prices', failureRate: 0.5, openFor: '10s' });
 * const prices = await breaker.execute((signal) => fetch('https://prices.example/all', { signal }));
 */
export function createOpossumBreaker(options: OpossumBreakerOptions = {}): CallBreaker {
  const known = ['name', 'window', 'failureRate', 'minimumCalls', 'openFor', 'probeLease', 'clock'];
  knownOptions(options, known, 'createOpossumBreaker');
  const { window = timeWindow(10_000), clock = systemClock } = options;
  if (window?.kind !== 'time') throw new InvalidOptionError('window', 'a timeWindow(duration)', window);
  const { length } = timeWindow(window.length);
  const failureRate = fraction(options.failureRate ?? 0.5, 'failureRate');
  const lease = duration(options.probeLease ?? 60_000, 'probeLease');
  const circuit = new Circuit(() => undefined, {
    name: readName('breaker', options),
    rollingCountTimeout: length,
    // opossum opens above its threshold, this interface at it.
    errorThresholdPercentage: failureRate * 100 - 1e-9,
    volumeThreshold: integer(options.minimumCalls ?? 10, 'minimumCalls', 1),
    resetTimeout: duration(options.openFor ?? 30_000, 'openFor', { min: 1, max: LONGEST_TIMER }),
    timeout: false,
    enableSnapshots: false,
    rollingPercentilesEnabled: false,
    // Never emits: with it opossum starts no interval, and the window is turned as calls come.
    rotateBucketController: new EventEmitter(),
  });
  return new OpossumBreaker(circuit, { clock, lease, stepMs: length / 10, owned: true });
}

const adopted = new WeakMap<OpossumCircuit, CallBreaker>();

/**
 * Makes an opossum circuit that exists already drive policies, metrics and dashboards. Its own `fire` goes on as
 * before, on the same state. The same circuit gives the same breaker.
 *
 * The circuit keeps its thresholds, timeout, error filter and listeners; a filter or listener that throws no longer
 * breaks calls, it becomes a process warning. Its `options` are replaced by a copy, its window is emptied when it closes.
 *
 * @throws InvalidOptionError if it is no opossum circuit, or one with a cache or coalescing, which would answer for calls
 *   that it was not made for.
 *
 * @example
 * const breaker = fromOpossum(existing);
 * app.use(weir(circuitBreaker({ breaker })));
 */
export function fromOpossum(circuit: OpossumCircuit): CallBreaker {
  const whole = circuit as unknown as Circuit;
  if (typeof whole?.call !== 'function' || typeof whole.status?.rotateBucket !== 'function') {
    throw new InvalidOptionError('circuit', 'an opossum circuit', circuit);
  }
  for (const option of ['cache', 'coalesce']) {
    if (whole.options[option]) throw new InvalidOptionError(`circuit.options.${option}`, 'off', true);
  }
  const known = adopted.get(circuit);
  if (known !== undefined) return known;
  const breaker = new OpossumBreaker(whole, {
    clock: systemClock,
    lease: 60_000,
    stepMs: Infinity,
    owned: false,
  });
  adopted.set(circuit, breaker);
  return breaker;
}
