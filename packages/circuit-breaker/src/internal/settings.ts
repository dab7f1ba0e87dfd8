import {
  type Clock,
  componentName,
  duration,
  fraction,
  InvalidOptionError,
  integer,
  knownOptions,
  random as mathRandom,
  type Random,
  systemClock,
  text,
} from '@weir/core';
import type { BreakerOptions } from '../breaker-options.ts';
import { type CountWindow, countWindow, type TimeWindow, timeWindow } from '../window.ts';

export const breakerOptionNames: readonly string[] = [
  'name',
  'window',
  'failureRate',
  'slowCallRate',
  'slowCallAfter',
  'consecutiveFailures',
  'minimumCalls',
  'openFor',
  'maxOpenFor',
  'jitter',
  'halfOpenCalls',
  'probeLease',
  'rampUp',
  'clock',
  'random',
];

/** Options as numbers. What is switched off is 0, which weighs less than Infinity. Shared by all breakers of a registry. */
export interface Settings {
  readonly timed: boolean;
  /** Of the window: calls, or ms if `timed`. */
  readonly span: number;
  readonly failureRate: number;
  readonly slowRate: number;
  readonly slowAfter: number;
  readonly inARow: number;
  readonly minimum: number;
  readonly openFor: number;
  readonly maxOpenFor: number;
  readonly jitter: number;
  readonly probes: number;
  readonly lease: number;
  readonly rampUp: number;
  readonly clock: Clock;
  readonly random: Random;
}

export function readSettings(options: BreakerOptions, where: string): Settings {
  knownOptions(options, breakerOptionNames, where);
  const { consecutiveFailures, slowCallAfter, jitter = 0 } = options;
  const { clock = systemClock, random = mathRandom } = options;
  const window = readWindow(options.window ?? timeWindow(10_000));
  const size = window.kind === 'count' ? window.size : Number.MAX_SAFE_INTEGER;
  const openFor = duration(options.openFor ?? 30_000, 'openFor');
  if (options.slowCallRate !== undefined && slowCallAfter === undefined) {
    throw new InvalidOptionError('slowCallAfter', 'given with slowCallRate', slowCallAfter);
  }
  return {
    timed: window.kind === 'time',
    span: window.kind === 'time' ? window.length : window.size,
    failureRate:
      options.failureRate === undefined && consecutiveFailures !== undefined
        ? 0
        : fraction(options.failureRate ?? 0.5, 'failureRate'),
    slowRate: fraction(options.slowCallRate ?? 1, 'slowCallRate'),
    slowAfter: slowCallAfter === undefined ? 0 : duration(slowCallAfter, 'slowCallAfter'),
    inARow: consecutiveFailures === undefined ? 0 : integer(consecutiveFailures, 'consecutiveFailures', 1),
    minimum: integer(options.minimumCalls ?? Math.min(10, size), 'minimumCalls', 1, size),
    openFor,
    maxOpenFor: duration(options.maxOpenFor ?? openFor, 'maxOpenFor', { min: openFor }),
    jitter: jitter === 0 ? 0 : fraction(jitter, 'jitter'),
    probes: integer(options.halfOpenCalls ?? 1, 'halfOpenCalls', 1),
    lease: duration(options.probeLease ?? 60_000, 'probeLease'),
    rampUp: duration(options.rampUp ?? 0, 'rampUp', { min: 0 }),
    clock,
    random,
  };
}

export const readName = (kind: string, { name }: { readonly name?: string }): string =>
  componentName(kind, name === undefined ? name : text(name, 'name'));

/** Checked again: a window may have been written by hand. */
function readWindow(window: CountWindow | TimeWindow): CountWindow | TimeWindow {
  if (window?.kind === 'count') return countWindow(window.size);
  if (window?.kind === 'time') return timeWindow(window.length);
  throw new InvalidOptionError('window', 'a countWindow(calls) or timeWindow(duration)', window);
}
