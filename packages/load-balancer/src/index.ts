export { balance, upstreamKey } from './balance.ts';
export { leastConnections } from './least-connections.ts';
export type { OutlierOptions } from './outliers.ts';
export { type AcquireOptions, createPool, type Lease, type Pool, type PoolOptions } from './pool.ts';
export { roundRobin } from './round-robin.ts';
export type { Choice, Picker, Strategy } from './strategy.ts';
export type { Upstream, UpstreamOptions } from './upstream.ts';
