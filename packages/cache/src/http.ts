export type { CacheResponsesOptions } from './http/options.ts';
export type { PurgeRequest } from './http/purge.ts';
export { cacheResponses, purge, type ResponseCache } from './http/response-cache.ts';
