import type { Purge } from './http/purges.ts';

/**
 * What is to be forgotten: the one vocabulary of memory, remote tier and bus. Keys and tags are those that `write`
 * was given, compared byte by byte; a namespace is cleared by a tag that each of its entries carries.
 */
export type Invalidation =
  | { readonly kind: 'delete'; readonly keys: readonly string[] }
  /** From now on stale: served within its grace, renewed by the next reader. */
  | { readonly kind: 'expire'; readonly keys: readonly string[] }
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  /** Everything. */
  | { readonly kind: 'clear' };

/** What a response cache (`@weir/cache/http`) says on the bus: forgotten, or if `soft` only made stale. */
export type ResponsePurge = { readonly kind: 'purge' } & Purge;
