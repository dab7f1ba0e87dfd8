import {
  type Clock,
  type Component,
  type Duration,
  duration,
  fraction,
  InvalidOptionError,
  integer,
  type Json,
  knownOptions,
  type Leave,
  type Outcome,
  oneOf,
  type Policy,
  type Reply,
  type Sample,
  systemClock,
} from '@weir/core';
import { readName } from './internal/name.ts';
import { overloaded } from './internal/overload-reply.ts';
import { aimdLimit, gradientLimit } from './limit-algorithms.ts';

export interface AdaptiveLimitOptions {
  /** Shown in metrics. @default 'adaptive-limit-<n>' */
  readonly name?: string;
  /** 'gradient' compares latency with what it is without load; 'aimd' with `target`. @default 'gradient' */
  readonly algorithm?: 'gradient' | 'aimd';
  /** With 'aimd': a window whose mean latency is longer, or with an error in it, shrinks the limit. */
  readonly target?: Duration;
  /** With 'gradient': rise of latency that is taken for noise. Above 0, at most 10. @default 0.25 */
  readonly tolerance?: number;
  /** The limit at the start. From `min` to `max`. @default 20 */
  readonly initial?: number;
  /** The limit never falls below. 1 or more. @default 3 */
  readonly min?: number;
  /** The limit never rises above. @default 1000 */
  readonly max?: number;
  /** The limit is set anew after so long, once 10 requests have ended. 1 ms or more. @default 100 */
  readonly interval?: Duration;
  /**
   * With 'gradient': how often the latency without load is measured anew. For one interval the limit is halved, or `min`
   * at the start; more is refused then.
   *
   * @default '30s'
   */
  readonly probeEvery?: Duration;
  /** Whether a place is held to the head of the response or to its end. @default 'end' */
  readonly until?: 'head' | 'end';
  /** @default systemClock */
  readonly clock?: Clock;
}

export interface AdaptiveLimit extends Policy, Component {
  readonly name: string;
  /** Requests under way allowed now. */
  readonly limit: number;
}

const names = [
  'name',
  'algorithm',
  'target',
  'tolerance',
  'initial',
  'min',
  'max',
  'interval',
  'probeEvery',
  'until',
  'clock',
];

/** A window with fewer requests says too little. */
const ENOUGH = 10;

/**
 * Bounds the requests under way by what the service shows that it can bear: latency to the head of its responses. Beyond
 * that, 503 with `Retry-After`, at once. O(1); a clock read a request.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * app.use(weir(adaptiveLimit({ max: 500 })));
 */
export function adaptiveLimit(options: AdaptiveLimitOptions = {}): AdaptiveLimit {
  knownOptions(options, names, 'adaptiveLimit');
  const { algorithm = 'gradient', until = 'end', clock = systemClock } = options;
  oneOf(algorithm, 'algorithm', ['gradient', 'aimd'] as const);
  oneOf(until, 'until', ['head', 'end'] as const);
  const min = integer(options.min ?? 3, 'min', 1);
  const max = integer(options.max ?? 1000, 'max', min);
  const initial = integer(options.initial ?? Math.min(Math.max(20, min), max), 'initial', min, max);
  const interval = duration(options.interval ?? 100, 'interval', { min: 1 });
  const probeEvery = duration(options.probeEvery ?? 30_000, 'probeEvery', { min: interval });
  const tolerance = fraction(options.tolerance ?? 0.25, 'tolerance', 0, 10);
  if ((algorithm === 'aimd') !== (options.target !== undefined)) {
    throw new InvalidOptionError(
      'target',
      `${algorithm === 'aimd' ? 'given' : 'left out'} with ${algorithm}`,
      options.target,
    );
  }
  const target = options.target === undefined ? Infinity : duration(options.target, 'target');
  const name = readName('adaptive-limit', options);
  const refusal = overloaded('The service is at its limit.');

  const gradient = algorithm === 'gradient';
  let steady = initial;
  let limit = gradient ? min : initial;
  let unloaded = Infinity;
  let probing = gradient;
  let nextProbe = clock.now() + probeEvery;
  let windowEnds = clock.now() + interval;
  let samples = 0;
  let sum = 0;
  let errors = 0;
  let busiest = 0;
  /** Grows with each window, so that requests begun under another limit are not sampled. */
  let window = 0;
  let inFlight = 0;
  let admitted = 0;
  let refused = 0;

  const begin = (now: number): void => {
    window += 1;
    windowEnds = now + interval;
    samples = sum = errors = 0;
    busiest = inFlight;
  };

  const adjust = (now: number): void => {
    const latency = sum / samples;
    if (probing) {
      unloaded = latency;
      probing = false;
      nextProbe = now + probeEvery;
    } else {
      // A limit that nobody comes near has not been tried: it must not grow.
      const tried = busiest * 2 >= limit;
      const next = gradient
        ? gradientLimit(steady, unloaded, latency, tolerance)
        : aimdLimit(steady, errors > 0 || latency > target);
      if (tried || next < steady) steady = Math.min(max, Math.max(min, next));
      unloaded = Math.min(unloaded, latency);
      probing = gradient && now >= nextProbe;
    }
    limit = Math.max(min, Math.floor(probing ? steady / 2 : steady));
    begin(now);
  };

  const leave = (of: number, { kind, headMs }: Outcome): void => {
    inFlight -= 1;
    const now = clock.now();
    // What was begun before a probe saw the load that the probe is to do without.
    const counts = !probing || of === window;
    if (counts && (kind === 'ok' || kind === 'error')) {
      samples += 1;
      sum += headMs;
      if (kind === 'error') errors += 1;
    }
    if (now >= windowEnds && samples >= ENOUGH) adjust(now);
  };

  const sample = (what: string, help: string, type: 'gauge' | 'counter', value: number): Sample => ({
    name: `weir_resilience_adaptive_${what}`,
    help,
    type,
    labels: { limit: name },
    value,
  });
  return {
    kind: 'adaptive-limit',
    name,
    until,
    get limit() {
      return limit;
    },
    enter(): Reply | Leave {
      if (inFlight >= limit) {
        refused += 1;
        return refusal;
      }
      inFlight += 1;
      admitted += 1;
      if (inFlight > busiest) busiest = inFlight;
      const of = window;
      return (outcome) => leave(of, outcome);
    },
    snapshot: (): { readonly [name: string]: Json } => ({
      limit,
      inFlight,
      unloadedMs: unloaded === Infinity ? null : unloaded,
      admitted,
      refused,
    }),
    metrics: () => [
      sample('limit', 'Requests under way allowed.', 'gauge', limit),
      sample('in_flight', 'Requests under way.', 'gauge', inFlight),
      sample('admitted_total', 'Requests admitted.', 'counter', admitted),
      sample('refused_total', 'Requests refused.', 'counter', refused),
    ],
  };
}
