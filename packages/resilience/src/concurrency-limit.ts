import {
  type Clock,
  type Component,
  type Duration,
  duration,
  integer,
  type Json,
  knownOptions,
  type Leave,
  oneOf,
  type Policy,
  type Reply,
  type Sample,
  systemClock,
} from '@weir/core';
import { readName } from './internal/name.ts';
import { overloaded } from './internal/overload-reply.ts';
import { Slots } from './internal/slots.ts';
import { timerLength } from './internal/timers.ts';

export interface ConcurrencyLimitOptions {
  /** Shown in metrics. @default 'concurrency-limit-<n>' */
  readonly name?: string;
  /** Requests under way at once. 1 or more. */
  readonly limit: number;
  /** Requests that may wait for a place, in the order in which they came. 0 or more. @default 0 */
  readonly queue?: number;
  /** How long a request may wait. 1 ms to 24 days. @default '1s' */
  readonly maxWait?: Duration;
  /**
   * After so long a request is taken to have ended unnoticed, and its place may go to another: for hosts that do not say
   * when a client disconnects. Longer than any good request.
   *
   * @default never
   */
  readonly lease?: Duration;
  /** Whether a place is held to the head of the response or to its end. @default 'end' */
  readonly until?: 'head' | 'end';
  /** @default systemClock */
  readonly clock?: Clock;
}

export interface ConcurrencyLimit extends Policy, Component {
  readonly name: string;
}

/**
 * Bounds the requests under way; beyond that they wait, if there is a queue, or get 503 with `Retry-After`. A client
 * that leaves gives up its wait.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * app.use(weir(concurrencyLimit({ limit: 100, queue: 50 })));
 */
export function concurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimit {
  knownOptions(options, ['name', 'limit', 'queue', 'maxWait', 'lease', 'until', 'clock'], 'concurrencyLimit');
  const { until = 'end', lease, clock = systemClock } = options;
  oneOf(until, 'until', ['head', 'end'] as const);
  const name = readName('concurrency-limit', options);
  const slots = new Slots({
    limit: integer(options.limit, 'limit', 1),
    queue: integer(options.queue ?? 0, 'queue', 0),
    maxWait: timerLength(options.maxWait ?? 1000, 'maxWait'),
    lease: lease === undefined ? Infinity : duration(lease, 'lease'),
    clock,
  });
  const refusal = overloaded('Too many requests are under way.');
  let admitted = 0;
  let refused = 0;

  const settle = (slot: number | undefined): Reply | Leave => {
    if (slot === undefined) {
      refused += 1;
      return refusal;
    }
    admitted += 1;
    return () => slots.release(slot);
  };
  // The host drops a reply to a client that has left; it must still not see a fault.
  const gone = (): Reply => refusal;
  const sample = (what: string, help: string, type: 'gauge' | 'counter', value: number): Sample => ({
    name: `weir_resilience_concurrency_${what}`,
    help,
    type,
    labels: { limit: name },
    value,
  });
  return {
    kind: 'concurrency-limit',
    name,
    until,
    enter(x) {
      const taken = slots.acquire(() => x.signal);
      return typeof taken === 'object' ? taken.then(settle, gone) : settle(taken);
    },
    snapshot: (): { readonly [name: string]: Json } => ({
      inFlight: slots.inUse,
      waiting: slots.waiting,
      admitted,
      refused,
      lapsed: slots.lapsed,
    }),
    metrics: () => [
      sample('in_flight', 'Requests under way.', 'gauge', slots.inUse),
      sample('waiting', 'Requests waiting.', 'gauge', slots.waiting),
      sample('admitted_total', 'Requests admitted.', 'counter', admitted),
      sample('refused_total', 'Requests refused.', 'counter', refused),
      sample('lapsed_total', 'Places taken back because their lease was over.', 'counter', slots.lapsed),
    ],
  };
}
