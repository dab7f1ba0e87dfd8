export { addressGroup } from './address.ts';
export type { BodyCapability, Head, Pairs, Sink, Source, Tap } from './body.ts';
export { type Clock, type CoarseClock, coarseClock, systemClock } from './clock.ts';
export {
  type Component,
  componentName,
  type HistogramSample,
  type Json,
  type Sample,
  type ValueSample,
} from './component.ts';
export { Deadline, Deadlines } from './deadlines.ts';
export { type Channel, channel } from './diagnostics.ts';
export { type Duration, duration } from './duration.ts';
export { Durations } from './durations.ts';
export { BodyConsumedError, InvalidOptionError, WeirError } from './errors.ts';
export type { Exchange } from './exchange.ts';
export { createKey, type Key } from './key.ts';
export { callable, fraction, integer, knownOptions, oneOf, text } from './options.ts';
export type { Awaitable, Leave, Outcome, Policy, Reply } from './policy.ts';
export { type ProblemDetails, problem } from './problem.ts';
export { type Random, random } from './random.ts';
