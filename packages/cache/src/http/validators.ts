import type { Pairs } from '@weir/core';
import { firstLine } from './fields.ts';
import { parseHttpDate } from './http-date.ts';
import type { HeaderReader } from './vary.ts';

/** What a stored response can be asked about. */
export interface Validators {
  readonly etag: string | undefined;
  /** `Last-Modified` as it came. */
  readonly lastModified: string | undefined;
  /** `Date`, ms since 1970: stands in for a missing `Last-Modified` (RFC 9111, 4.3.2). */
  readonly date: number;
}

export function validatorsOf(headers: Pairs, date: number): Validators {
  const etag = firstLine(headers, 'etag')?.trim();
  const lastModified = firstLine(headers, 'last-modified');
  return { etag: etag === '' ? undefined : etag, lastModified, date };
}

/**
 * Whether a request's own conditions find the stored response unchanged: then it gets a 304 (RFC 9111, 4.3.2).
 * `If-None-Match` goes before `If-Modified-Since` (RFC 9110, 13.2.2).
 */
export function notModified(request: HeaderReader, stored: Validators, now: number): boolean {
  const noneMatch = request.header('if-none-match');
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*') return true;
    const tag = stored.etag === undefined ? undefined : opaque(stored.etag);
    return tag !== undefined && entityTags(noneMatch).some((each) => opaque(each) === tag);
  }
  const since = request.header('if-modified-since');
  const sinceDate = since === undefined ? undefined : parseHttpDate(since, now);
  if (sinceDate === undefined) return false;
  const modified = stored.lastModified === undefined ? stored.date : parseHttpDate(stored.lastModified, now);
  return modified !== undefined && modified <= sinceDate;
}

/** Whether `If-Range` lets a part be sent: by strong comparison, or the very date (RFC 9110, 13.1.5). */
export function rangeAllowed(ifRange: string | undefined, stored: Validators): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"')) return value === stored.etag;
  // A date is a strong validator only if it was a second in the past when it was given (RFC 9110, 8.8.2.2).
  const modified =
    stored.lastModified === undefined ? undefined : parseHttpDate(stored.lastModified, stored.date);
  return value === stored.lastModified && modified !== undefined && modified + 1000 <= stored.date;
}

/** Whether a 304 speaks of the stored response, which was asked for by its validators (RFC 9111, 4.3.4). */
export function confirms(notModifiedHeaders: Pairs, stored: Validators): boolean {
  const etag = firstLine(notModifiedHeaders, 'etag')?.trim();
  if (etag !== undefined && stored.etag !== undefined) return opaque(etag) === opaque(stored.etag);
  const modified = firstLine(notModifiedHeaders, 'last-modified');
  return modified === undefined || stored.lastModified === undefined || modified === stored.lastModified;
}

/** The tags of a list, quoted ones with their quotes. */
function entityTags(list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"|[^\s,]+/g) ?? [];
}

/** For weak comparison (RFC 9110, 8.8.3.2). */
function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
