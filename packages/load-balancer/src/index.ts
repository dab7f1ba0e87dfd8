export { acquireFor, stick } from './acquire-for.ts';
export { type BalanceOptions, balance, upstreamKey } from './balance.ts';
export { type ConsistentHashOptions, consistentHash } from './consistent-hash.ts';
export { DrainError } from './errors.ts';
export type { Check, HealthOptions } from './health.ts';
export { type HttpCheckOptions, httpCheck } from './http-check.ts';
export { ipHash } from './ip-hash.ts';
export { leastConnections } from './least-connections.ts';
export { type LeastResponseTimeOptions, leastResponseTime } from './least-response-time.ts';
export type { OutlierOptions, SuccessRateOptions } from './outliers.ts';
export {
  type AcquireOptions,
  createPool,
  type DrainOptions,
  type Lease,
  type Pool,
  type PoolOptions,
  type Release,
} from './pool.ts';
export type { PoolEvent, PoolEventType, PoolListener } from './pool-events.ts';
export { powerOfTwoChoices } from './power-of-two-choices.ts';
export { random } from './random.ts';
export { roundRobin, type TurnOptions } from './round-robin.ts';
export {
  type SessionToken,
  type Sticky,
  type StickyCookieOptions,
  type StickyHeaderOptions,
  stickyCookie,
  stickyHeader,
} from './sticky.ts';
export type { Accept, Choice, Picker, Strategy } from './strategy.ts';
export type { Upstream, UpstreamOptions, UpstreamState } from './upstream.ts';
export { weightedRandom } from './weighted-random.ts';
export { weightedRoundRobin } from './weighted-round-robin.ts';
