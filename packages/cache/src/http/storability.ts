import type { Head } from '@weir/core';
import type { Directives } from './directives.ts';
import { field, words } from './fields.ts';
import { isHeuristic } from './freshness.ts';

/** What storing depends on beside the response. */
export interface Request {
  /** The request came with `Authorization`. */
  readonly authorized: boolean;
  /** The request said `no-store`. */
  readonly noStore: boolean;
}

/** Final statuses whose meaning for caches this one knows (RFC 9110, 15; for `must-understand`). */
const understood = new Set([
  ...[200, 203, 204, 300, 301, 302, 303, 307, 308],
  ...[
    400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 417, 421, 422, 426, 428, 429,
    431, 451,
  ],
  ...[500, 501, 502, 503, 504, 505],
]);

/**
 * Whether a shared cache may store a response (RFC 9111, 3 and 3.5), and a careful one will.
 *
 * @param lifetime explicit lifetime, ms; undefined if the response states none
 * @returns undefined if it may, otherwise why not, as a token
 */
export function whyNotStored(
  { status, headers }: Head,
  directives: Directives,
  lifetime: number | undefined,
  request: Request,
): string | undefined {
  // A part is not the whole, and a 304 says something of a response that somebody else has.
  if (status < 200 || status === 206 || status === 304) return 'status';
  if (request.noStore) return 'request-no-store';
  // With must-understand, no-store is for those who do not (5.2.2.3).
  if (directives.mustUnderstand ? !understood.has(status) : directives.noStore) return 'no-store';
  if (directives.private) return 'private';
  if (request.authorized && !allowsSharing(directives)) return 'authorization';
  // What sets a cookie is made for one client. RFC 9111, 7.3 would allow it; too many origins rely on not being cached.
  if (field(headers, 'set-cookie') !== undefined) return 'set-cookie';
  if (words(field(headers, 'vary') ?? '').includes('*')) return 'vary';
  if (lifetime === undefined && !isHeuristic(status, directives)) return 'no-lifetime';
  // Without lifetime and validator it could never be used.
  const usable = lifetime !== undefined || hasValidator(headers);
  return usable ? undefined : 'no-lifetime';
}

/** Whether a response to an authorized request may be reused for others (RFC 9111, 3.5). */
export function allowsSharing(directives: Directives): boolean {
  return directives.public || directives.sMaxage !== undefined || directives.mustRevalidate;
}

function hasValidator(headers: Head['headers']): boolean {
  return field(headers, 'etag') !== undefined || field(headers, 'last-modified') !== undefined;
}
