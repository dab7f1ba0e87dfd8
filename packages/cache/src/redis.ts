export { type RedisBusOptions, redisBus } from './redis/redis-bus.ts';
export { type RedisTierOptions, redisTier } from './redis/redis-tier.ts';
export type { Serializer } from './redis/serializer.ts';
