export {
  type AdaptiveLimit,
  type AdaptiveLimitOptions,
  adaptiveLimit,
} from './adaptive-limit.ts';
export { decorrelatedDelay, exponentialDelay } from './backoff.ts';
export { type Bulkhead, type BulkheadOptions, bulkhead } from './bulkhead.ts';
export { type BreakerLike, compose } from './compose.ts';
export {
  type ConcurrencyLimit,
  type ConcurrencyLimitOptions,
  concurrencyLimit,
} from './concurrency-limit.ts';
export { type DeadlineOptions, remainingDeadline } from './deadline.ts';
export {
  BulkheadFullError,
  CallTimeoutError,
  LimitedError,
  NoUpstreamError,
  ThrottledError,
} from './errors.ts';
export { type FallbackOptions, fallback } from './fallback.ts';
export { type HedgeOptions, hedge } from './hedge.ts';
export { aimdLimit, gradientLimit } from './limit-algorithms.ts';
export { type LoadShed, type LoadShedOptions, loadShed, type Priority } from './load-shed.ts';
export { type RetryOptions, retry } from './retry.ts';
export { type RetryBudget, type RetryBudgetOptions, retryBudget } from './retry-budget.ts';
export type { Call, CallContext, CallOptions, Strategy, StrategyKind } from './strategy.ts';
export { type AdaptiveThrottle, type AdaptiveThrottleOptions, adaptiveThrottle } from './throttle.ts';
export { type TimeoutOptions, timeout } from './timeout.ts';
export {
  type FetchLike,
  type LimiterLike,
  type PoolLike,
  type WrapFetchOptions,
  type WrappedFetch,
  wrapFetch,
} from './wrap-fetch.ts';
