export { byPlan } from './by-plan.ts';
export { createLimiter } from './create-limiter.ts';
export type { Decision } from './decision.ts';
export { InvalidCostError, InvalidKeyError, InvalidLimitsError, StoreError } from './errors.ts';
export { type FixedWindowOptions, fixedWindow } from './fixed-window.ts';
export type { HeaderStyle } from './headers.ts';
export type { KeyStorage } from './key-storage.ts';
export { byAddress, byHeader, type KeyOf } from './keys.ts';
export { type LeakyBucketOptions, leakyBucket } from './leaky-bucket.ts';
export type { Algorithm, Limit, LimitState } from './limit.ts';
export type {
  AsyncLimiter,
  CheckOptions,
  Limiter,
  LimiterOptions,
  Limits,
  StoreLimiterOptions,
  WaitOptions,
} from './limiter.ts';
export { mapStorage } from './map-storage.ts';
export { type RateLimitOptions, type RateLimitPolicy, rateLimit } from './policy.ts';
export { type LoginProtectionOptions, protectLogin } from './protect-login.ts';
export { type SlidingLogOptions, slidingLog } from './sliding-log.ts';
export { type SlidingWindowOptions, slidingWindow } from './sliding-window.ts';
export { type Step, stepOf } from './step.ts';
export { Store, type StoreAnswer, type StoreKey, type StoreRequest } from './store.ts';
export { type TableStorageOptions, tableStorage } from './table-storage.ts';
export { type TokenBucketOptions, tokenBucket } from './token-bucket.ts';
