import { callable, type Duration, duration, fraction, integer, knownOptions, oneOf } from '@weir/core';
import type { Upstream } from './upstream.ts';

/**
 * Asks a server whether it is well. It is, if the promise is fulfilled with anything but false. `signal` aborts when the
 * time is up; the pool does not wait any longer then.
 */
export type Check = (upstream: Upstream, signal: AbortSignal) => Promise<unknown>;

/** How servers are asked whether they are well. */
export interface HealthOptions {
  /** How: `httpCheck()`, `tcpCheck()` of `@weir/load-balancer/tcp`, or a function of yours. */
  readonly check: Check;
  /** From the end of one check of a server to the beginning of the next. 1 ms to 1 h. @default '5s' */
  readonly interval?: Duration;
  /** How long a check may take. 1 ms to 10 min. @default '2s' */
  readonly timeout?: Duration;
  /** By how much an interval is made longer or shorter at random, as a share. 0 to 1. @default 0.2 */
  readonly jitter?: number;
  /** Checks in a row that must succeed before a server that is down is up. Integer, 1 to 100. @default 2 */
  readonly rise?: number;
  /** Checks in a row that must fail before a server that is up is down. Integer, 1 to 100. @default 3 */
  readonly fall?: number;
  /** What a server is taken for until it has been checked. @default 'up' */
  readonly initially?: 'up' | 'down';
}

export interface HealthRules {
  readonly check: Check;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly jitter: number;
  readonly rise: number;
  readonly fall: number;
  readonly initiallyDown: boolean;
}

/** @throws InvalidOptionError if an option is missing, unknown or out of range. */
export function readHealthRules(options: HealthOptions): HealthRules {
  const names = ['check', 'interval', 'timeout', 'jitter', 'rise', 'fall', 'initially'];
  knownOptions(options, names, 'createPool `health`');
  const { jitter = 0.2 } = options;
  return {
    check: callable(options.check, 'health.check'),
    intervalMs: duration(options.interval ?? '5s', 'health.interval', { min: 1, max: 3_600_000 }),
    timeoutMs: duration(options.timeout ?? '2s', 'health.timeout', { min: 1, max: 600_000 }),
    jitter: jitter === 0 ? 0 : fraction(jitter, 'health.jitter'),
    rise: integer(options.rise ?? 2, 'health.rise', 1, 100),
    fall: integer(options.fall ?? 3, 'health.fall', 1, 100),
    initiallyDown: oneOf(options.initially ?? 'up', 'health.initially', ['up', 'down'] as const) === 'down',
  };
}
