import {
  type Awaitable,
  type Component,
  componentName,
  type Exchange,
  type Json,
  type Leave,
  type Policy,
  type Reply,
  type Sample,
} from '@weir/core';
import { addressedBy, cacheKey, hostReader, overridesMethod } from './cache-key.ts';
import type { Forwarded } from './cache-status.ts';
import { Keeper } from './keeper.ts';
import { type CacheResponsesOptions, readSettings } from './options.ts';
import { type PurgeRequest, readPurge } from './purge.ts';
import type { Purge } from './purges.ts';
import { Reader } from './reader.ts';
import { responseSamples, responseSnapshot } from './samples.ts';
import { Invalidation, isSafe } from './unsafe.ts';

/** A cache of responses, as a policy. */
export interface ResponseCache extends Policy, Component {
  readonly kind: 'cache';
  readonly name: string;
  /**
   * Forgets responses, or makes them stale. What is on its way from the origin at that moment is not stored either.
   *
   * @returns how many stored responses it concerned
   * @throws InvalidOptionError if the request names nothing, or more than one thing.
   */
  purge(request: PurgeRequest): number;
  /** Forgets everything. */
  clear(): void;
}

/**
 * Answers requests out of memory, as a shared cache (RFC 9111): stores what responses allow, revalidates what has become
 * stale, and makes many requests for the same thing one. Mount it outermost, so that it sees responses as they go out.
 *
 * A hit costs a look-up and the writing of a buffer; no `Request` or `Response` is made. It owns no timers but one for
 * each request that waits for another and for each revalidation in the background, and these do not keep a process open.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const cache = cacheResponses({ staleIfError: '1h' });
 * app.use(weir(cache));
 * purge(cache, { tag: 'product-42' });
 */
export function cacheResponses(options: CacheResponsesOptions = {}): ResponseCache {
  const settings = readSettings(options);
  return new Responses(componentName('cache', options.name), new Keeper(settings));
}

/** The same as {@link ResponseCache.purge}, for one cache or several. */
export function purge(caches: ResponseCache | readonly ResponseCache[], request: PurgeRequest): number {
  let count = 0;
  for (const cache of [caches].flat() as ResponseCache[]) count += cache.purge(request);
  return count;
}

class Responses implements ResponseCache {
  readonly kind = 'cache';
  readonly name: string;
  readonly #keeper: Keeper;
  readonly #reader: Reader;
  readonly #host = hostReader();

  constructor(name: string, keeper: Keeper) {
    this.name = name;
    this.#keeper = keeper;
    this.#reader = new Reader(keeper);
  }

  readonly actions: NonNullable<Component['actions']> = {
    purge: (request) => {
      this.purge(request as PurgeRequest);
    },
    clear: () => this.clear(),
  };

  enter(x: Exchange): Awaitable<undefined | Reply | Leave> {
    const { settings } = this.#keeper;
    const { method } = x;
    const reads = method === 'GET' || method === 'HEAD';
    if (settings.skip?.(x) === true) return this.#leaveAlone(x, 'bypass', 'skip');
    if (!reads && isSafe(method)) return this.#leaveAlone(x, 'method');
    const key = cacheKey(x, this.#host);
    if (key === undefined) return this.#leaveAlone(x, 'bypass', 'address');
    const addressed = addressedBy(x, settings.keyHeaders);
    if (reads && !overridesMethod(x)) return this.#reader.read(x, { key, addressed });
    this.#keeper.counts.bypass += 1;
    x.body?.tap(new Invalidation(this.#keeper, x, { key, addressed }));
    return undefined;
  }

  purge(request: PurgeRequest): number {
    const count = this.#purge(readPurge(request));
    this.#keeper.counts.purged += count;
    return count;
  }

  clear(): void {
    this.#purge({ by: 'all', soft: false });
  }

  snapshot(): { readonly [name: string]: Json } {
    return responseSnapshot(this.#keeper);
  }

  metrics(): readonly Sample[] {
    return responseSamples(this.name, this.#keeper);
  }

  #purge(what: Purge): number {
    this.#keeper.purges.add(what);
    return this.#keeper.store.purge(what, this.#keeper.now());
  }

  #leaveAlone(x: Exchange, why: Forwarded, detail?: string): undefined {
    this.#keeper.counts.bypass += 1;
    this.#keeper.label(x, why, { detail });
  }
}
