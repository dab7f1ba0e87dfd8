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
import { type CacheResponsesOptions, readSettings, type SharedResponsesOptions } from './options.ts';
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

/** A cache of responses that tells those of its name in other processes what it forgets. */
export interface SharedResponseCache extends Policy, Component {
  readonly kind: 'cache';
  readonly name: string;
  /**
   * As {@link ResponseCache.purge}: here at once, elsewhere when the message comes.
   *
   * @returns how many responses it concerned here, when the message has left; rejects with a RemoteError if it could not
   * @throws InvalidOptionError if the request names nothing, or more than one thing.
   */
  purge(request: PurgeRequest): Promise<number>;
  /** Forgets everything, everywhere. */
  clear(): Promise<void>;
  /** Leaves the bus. Purges of others are no longer heard. */
  close(): Promise<void>;
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
export function cacheResponses(options: SharedResponsesOptions): SharedResponseCache;
export function cacheResponses(options?: CacheResponsesOptions): ResponseCache;
export function cacheResponses(
  options: CacheResponsesOptions & Partial<SharedResponsesOptions> = {},
): ResponseCache | SharedResponseCache {
  const keeper = new Keeper(readSettings(options), options.name);
  return new Responses(componentName('cache', options.name), keeper) as ResponseCache | SharedResponseCache;
}

/** The same as {@link ResponseCache.purge}, for one cache or several. */
export function purge(caches: ResponseCache | readonly ResponseCache[], request: PurgeRequest): number;
/** The same as {@link SharedResponseCache.purge}, for one cache or several. */
export function purge(
  caches: SharedResponseCache | readonly SharedResponseCache[],
  request: PurgeRequest,
): Promise<number>;
export function purge(
  caches: ResponseCache | SharedResponseCache | readonly (ResponseCache | SharedResponseCache)[],
  request: PurgeRequest,
): number | Promise<number> {
  const counts = ([caches].flat() as ResponseCache[]).map((cache) => cache.purge(request));
  const sum = (all: readonly number[]): number => all.reduce((total, count) => total + count, 0);
  return counts.every((count) => typeof count === 'number') ? sum(counts) : Promise.all(counts).then(sum);
}

class Responses implements Policy, Component {
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
      const count = this.purge(request as PurgeRequest);
      return typeof count === 'number' ? undefined : count.then(() => {});
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

  purge(request: PurgeRequest): Awaitable<number> {
    const what = readPurge(request);
    const count = this.#keeper.purge(what);
    this.#keeper.counts.purged += count;
    return this.#tell(what)?.then(() => count) ?? count;
  }

  clear(): Awaitable<void> {
    const all: Purge = { by: 'all', soft: false };
    this.#keeper.purge(all);
    return this.#tell(all);
  }

  async close(): Promise<void> {
    await this.#keeper.sharing?.close();
  }

  snapshot(): { readonly [name: string]: Json } {
    return responseSnapshot(this.#keeper);
  }

  metrics(): readonly Sample[] {
    return responseSamples(this.name, this.#keeper);
  }

  #tell(what: Purge): Promise<void> | undefined {
    return this.#keeper.sharing?.tell(what);
  }

  #leaveAlone(x: Exchange, why: Forwarded, detail?: string): undefined {
    this.#keeper.counts.bypass += 1;
    this.#keeper.label(x, why, { detail });
  }
}
