export type { CacheResponsesOptions, SharedResponsesOptions } from './http/options.ts';
export type { PurgeRequest } from './http/purge.ts';
export {
  cacheResponses,
  purge,
  type ResponseCache,
  type SharedResponseCache,
} from './http/response-cache.ts';
