export {
  RedisReplyError,
  RedisTimeoutError,
  RedisUnavailableError,
  RedisVersionError,
  UnknownRedisClientError,
} from './errors.ts';
export { entityKey, slotOf } from './key.ts';
export {
  type ChannelListener,
  type CommandOptions,
  type RedisClient,
  type RedisClientOptions,
  type RedisReply,
  redisClient,
  type Subscription,
} from './redis-client.ts';
export { type Script, type ScriptOptions, script } from './script.ts';
