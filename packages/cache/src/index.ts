export type { Bus, BusListener, BusMember, BusMessage } from './bus.ts';
export { type Cache, createCache, type SharedCache } from './cache.ts';
export type {
  BatchLoader,
  CacheOptions,
  LoadContext,
  Loader,
  LoadOptions,
  SetOptions,
  SharedCacheOptions,
  WrapOptions,
} from './cache-options.ts';
export { BatchLoadError, CacheKeyError, LoadTimeoutError, RemoteError } from './errors.ts';
export type { Invalidation, ResponsePurge } from './invalidation.ts';
export type { Answer, KeySpace, Peeked } from './key-space.ts';
export type {
  LockedRead,
  RemoteEntry,
  RemoteLocks,
  RemoteRead,
  RemoteStamp,
  RemoteStore,
  RemoteTier,
} from './remote.ts';
