import type { Awaitable } from './policy.ts';

/** Anything that JSON can carry. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/**
 * Anything long-lived: a limiter, a pool, a breaker, a cache, a topology. Metrics and dashboards know only this.
 */
export interface Component {
  /** What it is: 'limiter', 'pool', 'breaker', 'cache', 'topology', ... */
  readonly kind: string;
  /** Given by the user, or `<kind>-<n>`. Unique within its kind for metrics to make sense. */
  readonly name: string;
  /** The present state, safe to turn into JSON. Keys of users never appear in clear. */
  snapshot(): { readonly [name: string]: Json };
  /** Counters and gauges as they stand. Called at scrape, so it may do work; hot paths only count. */
  metrics(): readonly Sample[];
  /** What an operator may do, by name. The argument comes from outside: an action checks it. */
  readonly actions?: { readonly [name: string]: (argument?: unknown) => Awaitable<void> } | undefined;
  /** Stops timers and waits for what must not be lost. May be called twice. */
  close?(): Awaitable<void>;
}

/** One time series at one moment. Names are `weir_<package>_<what>_<unit>`; labels are few and bounded. */
export type Sample = ValueSample | HistogramSample;

export interface ValueSample {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labels: { readonly [label: string]: string };
  readonly value: number;
}

export interface HistogramSample {
  readonly name: string;
  readonly help: string;
  readonly type: 'histogram';
  readonly labels: { readonly [label: string]: string };
  /** Upper bounds of the buckets, ascending, without infinity. */
  readonly bounds: readonly number[];
  /** Observations per bucket, not cumulative; one more than `bounds`, the last one for everything above. */
  readonly counts: readonly number[];
  readonly sum: number;
}

const used = new Map<string, number>();

/** The name a user gave, or `<kind>-<n>` with n counting from 1 in this process. */
export function componentName(kind: string, given?: string): string {
  if (given !== undefined) return given;
  const n = (used.get(kind) ?? 0) + 1;
  used.set(kind, n);
  return `${kind}-${n}`;
}
