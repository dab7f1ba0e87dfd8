import type { Clock, Duration, Random } from '@weir/core';
import type { CountWindow, TimeWindow } from './window.ts';

/** When a breaker opens, for how long, and what it takes to close again. */
export interface BreakerOptions {
  /** Shown in metrics, logs and errors. @default 'breaker-<n>' */
  readonly name?: string;
  /** Which calls the rates are taken over. @default timeWindow('10s') */
  readonly window?: CountWindow | TimeWindow;
  /**
   * Opens when this share of the calls in the window, or more, has failed. Above 0, at most 1.
   *
   * @default 0.5; none if `consecutiveFailures` is given
   */
  readonly failureRate?: number;
  /** Opens when this share of the calls in the window, or more, was slow. Above 0, at most 1. @default 1 */
  readonly slowCallRate?: number;
  /**
   * A call that takes longer is slow, also while it still runs: its age is watched, at the cost of a clock read and
   * a map entry per call.
   *
   * @default no call is slow
   */
  readonly slowCallAfter?: Duration;
  /** Opens after so many failures in a row, whatever the window says. 1 or more. @default none */
  readonly consecutiveFailures?: number;
  /**
   * Below so many calls in the window the rates say nothing. 1 or more, no more than a count window holds.
   *
   * @default 10, or the size of a smaller count window
   */
  readonly minimumCalls?: number;
  /** How long it stays open before probes are let through. @default '30s' */
  readonly openFor?: Duration;
  /** Each failed round of probes doubles the time open, up to this. At least `openFor`. @default openFor */
  readonly maxOpenFor?: Duration;
  /** Takes a random share of up to this off the time open, so that a fleet does not probe in step. 0 to 1. @default 0 */
  readonly jitter?: number;
  /** Probes that are let through when half-open. If all succeed the breaker closes; if one fails or is slow it opens. @default 1 */
  readonly halfOpenCalls?: number;
  /**
   * A probe that has not been reported for so long loses its place to the next call. Longer than a good call takes.
   *
   * @default '1m'
   */
  readonly probeLease?: Duration;
  /** After closing, the share of calls admitted grows from a tenth to all over this time. @default 0 */
  readonly rampUp?: Duration;
  /** @default systemClock */
  readonly clock?: Clock;
  /** For `jitter` and `rampUp`. @default Math.random */
  readonly random?: Random;
}
