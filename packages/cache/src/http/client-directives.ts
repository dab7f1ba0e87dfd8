import { type Directives, parseCacheControl } from './directives.ts';
import type { StoredResponse } from './stored-response.ts';
import type { HeaderReader } from './vary.ts';

/**
 * What a client says of caching (RFC 9111, 5.2.1), or undefined.
 *
 * @param all whether it is followed in everything; otherwise only `no-store` and `only-if-cached` are
 */
export function clientDirectives(request: HeaderReader, all: boolean): Directives | undefined {
  const value = request.header('cache-control');
  if (value !== undefined) return parseCacheControl(value);
  if (!all) return undefined;
  // Of old clients that know no Cache-Control (5.4).
  const pragma = request.header('pragma')?.toLowerCase();
  return pragma?.includes('no-cache') === true ? parseCacheControl('no-cache') : undefined;
}

/** Whether a fresh response is good enough for the client. */
export function satisfies(
  { noCache, minFresh, maxAge }: Directives,
  stored: StoredResponse,
  now: number,
): boolean {
  if (noCache) return false;
  if (minFresh !== undefined && stored.freshFor(now) < minFresh * 1000) return false;
  return maxAge === undefined || now - stored.terms.bornAt <= maxAge * 1000;
}

/** Whether a response that is stale already is still good enough for the client. */
export function toleratesStale({ maxStale }: Directives, stored: StoredResponse, now: number): boolean {
  const staleFor = -stored.freshFor(now);
  return maxStale !== undefined && !stored.terms.neverStale && staleFor >= 0 && staleFor <= maxStale * 1000;
}
