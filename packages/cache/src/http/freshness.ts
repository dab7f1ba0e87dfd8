import type { Pairs } from '@weir/core';
import { type Directives, delta } from './directives.ts';
import { field, firstLine } from './fields.ts';
import { parseHttpDate } from './http-date.ts';

/** How long responses without a lifetime of their own may be taken as fresh (RFC 9111, 4.2.2). */
export interface Heuristic {
  /** Share of the time since `Last-Modified`. */
  readonly fraction: number;
  /** Upper limit, ms. */
  readonly max: number;
}

/** Statuses that may be cached without an explicit lifetime (RFC 9110, 15.1). 206 is not stored at all. */
const heuristicStatuses = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

/** Whether such a response may be given a lifetime by heuristics. */
export function isHeuristic(status: number, directives: Directives): boolean {
  return directives.public || heuristicStatuses.has(status);
}

/** When a request went out and its response came in. */
export interface Times {
  /** The number of the request: later ones have greater numbers. */
  readonly order: number;
  /** Monotonic ms. */
  readonly requested: number;
  readonly received: number;
  /** Wall clock, ms since 1970, when the response came in. */
  readonly epoch: number;
}

/** The response's `Date`; if it has none that can be read, when it was received (RFC 9110, 6.6.1). */
export function dateOf(headers: Pairs, { epoch }: Times): number {
  return parseHttpDate(firstLine(headers, 'date') ?? '', epoch) ?? epoch;
}

/** The age of a response when it was received, ms: `corrected_initial_age` of RFC 9111, 4.2.3. */
export function initialAge(headers: Pairs, times: Times): number {
  // Of several values the first counts, one that is no number is ignored (RFC 9111, 5.1).
  const ageValue = delta(field(headers, 'age')?.split(',', 1)[0]?.trim()) ?? 0;
  const apparent = Math.max(0, times.epoch - dateOf(headers, times));
  return Math.max(apparent, ageValue * 1000 + (times.received - times.requested));
}

/**
 * The lifetime that the response itself states, ms (RFC 9111, 4.2.1); undefined if it states none.
 *
 * @param targeted whether the directives are those of a targeted field, which takes the place of `Expires` too
 */
export function explicitLifetime(
  headers: Pairs,
  directives: Directives,
  targeted: boolean,
  times: Times,
): number | undefined {
  const stated = directives.sMaxage ?? directives.maxAge;
  if (stated !== undefined) return stated * 1000;
  if (targeted) return undefined;
  const expires = firstLine(headers, 'expires');
  if (expires === undefined) return undefined;
  // An invalid date, `0` above all, is one in the past (RFC 9111, 5.3).
  return Math.max(0, (parseHttpDate(expires, times.epoch) ?? 0) - dateOf(headers, times));
}

/** The lifetime by heuristics, ms; 0 if there is nothing to go by. */
export function heuristicLifetime(
  status: number,
  headers: Pairs,
  directives: Directives,
  times: Times,
  heuristic: Heuristic | undefined,
): number {
  if (heuristic === undefined || !isHeuristic(status, directives)) return 0;
  const modified = parseHttpDate(firstLine(headers, 'last-modified') ?? '', times.epoch);
  if (modified === undefined) return 0;
  const unchanged = dateOf(headers, times) - modified;
  return Math.min(Math.max(0, unchanged) * heuristic.fraction, heuristic.max);
}

/**
 * Whether a response must never be used once it is stale, disconnected or not (RFC 9111, 4.2.4). `s-maxage` implies
 * `proxy-revalidate` for a shared cache (5.2.2.10).
 */
export function forbidsStale(directives: Directives): boolean {
  return (
    directives.mustRevalidate ||
    directives.proxyRevalidate ||
    directives.sMaxage !== undefined ||
    directives.noCache
  );
}
