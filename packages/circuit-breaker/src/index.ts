export { type Breaker, createBreaker, type SavedBreaker } from './breaker.ts';
export type { BreakerOptions } from './breaker-options.ts';
export type { BreakerState, CallBreaker, ExecuteOptions, Verdict } from './call-breaker.ts';
export { BreakerDeadlineError, BreakerOpenError } from './errors.ts';
export { type CircuitBreakerOptions, type CircuitBreakerPolicy, circuitBreaker } from './policy.ts';
export { type Breakers, type BreakersOptions, createBreakers } from './registry.ts';
export { type CountWindow, countWindow, type TimeWindow, timeWindow } from './window.ts';
