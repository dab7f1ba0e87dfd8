export { type HashKey, hashKey } from './hash-key.ts';
export { createRing, type RingOptions } from './ring.ts';
export type * from './topology.ts';
