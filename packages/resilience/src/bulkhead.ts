import {
  type Component,
  type Duration,
  integer,
  type Json,
  knownOptions,
  type Sample,
  systemClock,
} from '@weir/core';
import { BulkheadFullError } from './errors.ts';
import { readName } from './internal/name.ts';
import type { Scope } from './internal/scope.ts';
import { Slots } from './internal/slots.ts';
import { timerLength } from './internal/timers.ts';
import { asComponent, type Call, type Strategy, started, strategy } from './strategy.ts';

export interface BulkheadOptions {
  /** Shown in metrics and errors. @default 'bulkhead-<n>' */
  readonly name?: string;
  /** Calls under way at once. 1 or more. */
  readonly concurrency: number;
  /** Calls that may wait for a place, in the order in which they came. 0 or more. @default 0 */
  readonly queue?: number;
  /** How long a call may wait. 1 ms to 24 days. @default '1s' */
  readonly maxWait?: Duration;
}

/** A strategy that bounds the calls under way. Share one among all calls that use the same resource. */
export interface Bulkhead extends Strategy, Omit<Component, 'kind'> {
  readonly kind: 'bulkhead';
  readonly name: string;
}

/**
 * Makes a bulkhead. A place is held until the call has really ended, however early its caller gave up, so that calls
 * that time out cannot pile up behind it. Refuses with a `BulkheadFullError`.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const reports = bulkhead({ concurrency: 4, queue: 20 });
 * const report = await reports(() => buildReport());
 */
export function bulkhead(options: BulkheadOptions): Bulkhead {
  knownOptions(options, ['name', 'concurrency', 'queue', 'maxWait'], 'bulkhead');
  const name = readName('bulkhead', options);
  const slots = new Slots({
    limit: integer(options.concurrency, 'concurrency', 1),
    queue: integer(options.queue ?? 0, 'queue', 0),
    maxWait: timerLength(options.maxWait ?? 1000, 'maxWait'),
    lease: Infinity,
    clock: systemClock,
  });
  let admitted = 0;
  let refused = 0;

  const run = async <T>(call: Call<T>, scope: Scope): Promise<T> => {
    const taken = slots.acquire(() => scope.given);
    const slot = typeof taken === 'object' ? await taken : taken;
    if (slot === undefined) {
      refused += 1;
      throw new BulkheadFullError(name);
    }
    // Given up between being handed the place and getting here.
    if (scope.aborted) {
      slots.release(slot);
      throw scope.signal.reason;
    }
    admitted += 1;
    try {
      return await started(call, scope);
    } finally {
      slots.release(slot);
    }
  };
  const sample = (what: string, type: 'gauge' | 'counter', value: number): Sample => ({
    name: `weir_resilience_bulkhead_${what}`,
    help: `Calls ${what.replace('_total', '').replace('_', ' ')}.`,
    type,
    labels: { bulkhead: name },
    value,
  });
  return asComponent(strategy('bulkhead', run), name, {
    snapshot: (): { readonly [name: string]: Json } => ({
      inFlight: slots.inUse,
      waiting: slots.waiting,
      admitted,
      refused,
    }),
    metrics: (): readonly Sample[] => [
      sample('in_flight', 'gauge', slots.inUse),
      sample('waiting', 'gauge', slots.waiting),
      sample('admitted_total', 'counter', admitted),
      sample('refused_total', 'counter', refused),
    ],
  }) as Bulkhead;
}
