import type { Exchange, Pairs, Reply } from '@weir/core';
import { byteRange } from './range.ts';
import type { StoredResponse } from './stored-response.ts';
import { notModified, rangeAllowed } from './validators.ts';

/** What a client asks of a response beside its address; an exchange, or what it was before it was rewritten. */
export type Asked = Pick<Exchange, 'method' | 'header'>;

/** Keeps what a client asks, before its request is rewritten to ask for something else. */
export function askedBy(x: Exchange): Asked {
  const { method } = x;
  const headers = new Map(
    ['if-none-match', 'if-modified-since', 'range', 'if-range'].map((name) => [name, x.header(name)]),
  );
  return { method, header: (name) => headers.get(name) };
}

/** What is written on an answer from the cache. */
export interface Label {
  /** The value of `Cache-Status`; undefined for none. Given the seconds of freshness left. */
  readonly status: ((ttl: number) => string) | undefined;
  /** Lines for this client only. */
  readonly extra?: Pairs;
}

/** Fields that say what the bytes are, which a 304 does not send (RFC 9110, 15.4.5). */
const ofTheContent = new Set(['content-encoding', 'content-language', 'content-range', 'content-type']);

/**
 * The answer to a GET or HEAD out of a stored response: whole, a 304 if the client has it already, or the part that it
 * asks for. A plain hit is one object for all requests of the same second.
 *
 * @param now monotonic ms. @param epoch wall clock, read only where a date has to be understood
 */
export function serve(
  stored: StoredResponse,
  x: Asked,
  now: number,
  epoch: () => number,
  label: Label,
): Reply {
  const age = stored.age(now);
  // Conditions and parts are about a success (RFC 9110, 13.2.1 and 14.2).
  if (stored.status === 200) {
    const conditional =
      x.header('if-none-match') !== undefined || x.header('if-modified-since') !== undefined;
    if (conditional && notModified(x, stored.validators, epoch())) return unchanged(stored, age, label);
    const range = x.method === 'GET' ? x.header('range') : undefined;
    if (range !== undefined && rangeAllowed(x.header('if-range'), stored.validators)) {
      const part = byteRange(range, stored.body.length);
      if (part === 'unsatisfiable') return unsatisfiable(stored, age, label);
      if (part !== 'whole') {
        const { first, last } = part;
        const headers = headersOf(stored, age, label, last - first + 1);
        headers.push('content-range', `bytes ${first}-${last}/${stored.body.length}`);
        return { status: 206, headers, body: stored.body.subarray(first, last + 1), kind: 'ok' };
      }
    }
  }
  const headers = headersOf(stored, age, label, stored.contentLength);
  return { status: stored.status, headers, body: stored.body, kind: 'ok' };
}

function headersOf(stored: StoredResponse, age: number, label: Label, length: number | undefined): string[] {
  const headers = [...stored.headers, ...(label.extra ?? [])];
  if (length !== undefined) headers.push('content-length', String(length));
  return labelled(headers, stored, age, label);
}

function labelled(headers: string[], stored: StoredResponse, age: number, { status }: Label): string[] {
  headers.push('age', String(age));
  if (status !== undefined) headers.push('cache-status', status(Math.floor(stored.lifetime / 1000) - age));
  return headers;
}

function unchanged(stored: StoredResponse, age: number, label: Label): Reply {
  const headers: string[] = [];
  for (let i = 0; i < stored.headers.length; i += 2) {
    const name = stored.headers[i] as string;
    if (!ofTheContent.has(name)) headers.push(name, stored.headers[i + 1] as string);
  }
  headers.push(...(label.extra ?? []));
  return { status: 304, headers: labelled(headers, stored, age, label), kind: 'ok' };
}

function unsatisfiable(stored: StoredResponse, age: number, label: Label): Reply {
  const headers = ['content-range', `bytes */${stored.body.length}`, 'content-length', '0'];
  return { status: 416, headers: labelled(headers, stored, age, label), kind: 'ok' };
}
