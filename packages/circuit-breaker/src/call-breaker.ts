import type { Awaitable, Component, Duration } from '@weir/core';

/** What a breaker lets through: everything, nothing, or a few probes. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** What a finished call says about the service. `ignore`: nothing, as when the client hung up. */
export type Verdict = 'success' | 'failure' | 'ignore';

export interface ExecuteOptions<T = unknown> {
  /** Gives up the call. It rejects at once with the signal's reason, and counts for nothing. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the call may take. Then it rejects at once with a `BreakerDeadlineError`, its signal aborts, and it
   * counts as a failure. More than 0, at most 24 days.
   *
   * @default none
   */
  readonly deadline?: Duration | undefined;
  /**
   * Judges the end of the call: `error` is what was thrown, or undefined if `value` was returned. If it throws, the
   * call is ignored and rejects with what was thrown here.
   *
   * @default what was thrown is a failure, what was returned a success
   */
  readonly classify?: ((error: unknown, value: T | undefined) => Verdict) | undefined;
}

/** A breaker that wraps calls: the part that every engine can do. */
export interface CallBreaker extends Component {
  readonly kind: 'breaker';
  /** As of now: an open breaker whose time is up reads 'half-open'. */
  readonly state: BreakerState;
  /** Milliseconds until a call may pass; 0 if one may now, or if it depends on probes under way. */
  readonly retryAfterMs: number;
  /**
   * Runs `fn`, synchronously, if the breaker admits it, and reports how it ended.
   *
   * @param fn gets a signal that aborts with the caller's and at the deadline. It is made only if `fn` declares a
   *   parameter. What it returns or throws is passed on.
   * @returns rejects with a `BreakerOpenError`, without calling `fn`, if the breaker refuses.
   */
  execute<T>(fn: (signal: AbortSignal) => Awaitable<T>, options?: ExecuteOptions<T>): Promise<T>;
  /** Refuses every call until `reset()`. */
  forceOpen(): void;
  /** Admits every call and counts none, until `reset()`: a breaker that is switched off. */
  forceClose(): void;
  /** Starts anew: closed, with nothing counted and nothing forced. Calls under way no longer matter. */
  reset(): void;
}
