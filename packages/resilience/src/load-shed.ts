import {
  type Clock,
  type Component,
  callable,
  type Duration,
  duration,
  type Exchange,
  integer,
  type Json,
  knownOptions,
  type Leave,
  random as mathRandom,
  oneOf,
  type Policy,
  type Random,
  type Reply,
  type Sample,
  systemClock,
} from '@weir/core';
import { EventLoopLag } from './internal/event-loop-lag.ts';
import { readName } from './internal/name.ts';
import { overloaded } from './internal/overload-reply.ts';

export type Priority = 'high' | 'normal' | 'low';

export interface LoadShedOptions {
  /** Shown in metrics. @default 'load-shed-<n>' */
  readonly name?: string;
  /** Delay of the event loop that is full load. 1 ms or more. @default 100 */
  readonly maxDelay?: Duration;
  /** Requests under way that are full load. 1 or more. @default no limit */
  readonly maxInFlight?: number;
  /** Who goes last. Called once a request, under load only; if it throws, the request passes. @default 'normal' for all */
  readonly priority?: (x: Exchange) => Priority;
  /** Delay of the event loop, ms, read once a request. @default how late a timer of 50 ms runs */
  readonly gauge?: () => number;
  /** Whether a request counts to the head of its response or to its end. @default 'end' */
  readonly until?: 'head' | 'end';
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
}

export interface LoadShed extends Policy, Component, Disposable {
  readonly name: string;
  close(): void;
}

/** At which load a class begins to be shed, and from which on nothing of it passes. 1 is full load. */
const sheds: { readonly [priority in Priority]: readonly [from: number, to: number] } = {
  low: [0.5, 0.8],
  normal: [0.8, 1.2],
  high: [1.2, 2],
};
const LEAST = 0.5;

/**
 * Refuses a growing share of requests as the event loop falls behind or too many requests are under way, the least
 * important first, with 503 and `Retry-After`. Below half load it costs one reading of the gauge.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const shed = loadShed({ maxDelay: 100, priority: (x) => (x.path === '/health' ? 'high' : 'normal') });
 * app.use(weir(shed));
 */
export function loadShed(options: LoadShedOptions = {}): LoadShed {
  const known = ['name', 'maxDelay', 'maxInFlight', 'priority', 'gauge', 'until', 'clock', 'random'];
  knownOptions(options, known, 'loadShed');
  const { priority = () => 'normal', until = 'end', clock = systemClock, random = mathRandom } = options;
  const maxDelay = duration(options.maxDelay ?? 100, 'maxDelay', { min: 1 });
  const maxInFlight =
    options.maxInFlight === undefined ? Infinity : integer(options.maxInFlight, 'maxInFlight', 1);
  callable(priority, 'priority');
  oneOf(until, 'until', ['head', 'end'] as const);
  const lag = new EventLoopLag(clock, maxDelay * 10);
  const gauge = options.gauge === undefined ? () => lag.read() : callable(options.gauge, 'gauge');
  const name = readName('load-shed', options);
  const refusal = overloaded('The service is overloaded.', 2);
  const shed = { high: 0, normal: 0, low: 0 };
  let inFlight = 0;
  let load = 0;

  const leave = (): void => {
    inFlight -= 1;
  };
  const refuses = (x: Exchange): boolean => {
    const given = priority(x);
    const [from, to] = sheds[given];
    const refused = load > from && random() < (load - from) / (to - from);
    if (refused) shed[given] += 1;
    return refused;
  };
  return {
    kind: 'load-shed',
    name,
    until,
    // A fault in `priority` shows under load only, when a 500 for everybody would be the worst answer.
    onFault: 'open',
    enter(x): Reply | Leave {
      load = Math.max(gauge() / maxDelay, (inFlight + 1) / maxInFlight);
      if (load > LEAST && refuses(x)) return refusal;
      inFlight += 1;
      return leave;
    },
    snapshot: (): { readonly [name: string]: Json } => ({ load, inFlight, shed: { ...shed } }),
    metrics: () => [
      {
        name: 'weir_resilience_load_ratio',
        help: 'Load at the last request; 1 is full.',
        type: 'gauge',
        labels: { policy: name },
        value: load,
      },
      ...Object.entries(shed).map(
        ([priority, value]): Sample => ({
          name: 'weir_resilience_shed_total',
          help: 'Requests shed, by priority.',
          type: 'counter',
          labels: { policy: name, priority },
          value,
        }),
      ),
    ],
    close: () => lag.close(),
    [Symbol.dispose]: () => lag.close(),
  };
}
