import type { Exchange } from '@weir/core';
import type { Upstream } from '@weir/load-balancer';
import { HeaderFields } from '../header-fields.ts';
import { hopByHop, namedIn } from './hop-by-hop.ts';
import { changeFields } from './request-head.ts';
import type { Settings } from './settings.ts';

/** Header fields as undici's parser gives them: lower-case names, repeats as lists. */
export interface ParsedFields {
  readonly [lowerName: string]: string | readonly string[] | undefined;
}

/** The head for the client: what the upstream said without what ends here, and what begins here. */
export function responseFields(
  status: number,
  parsed: ParsedFields,
  settings: Settings,
  x: Exchange,
  upstream: Upstream,
): string[] {
  const pairs: string[] = [];
  const { connection } = parsed;
  const named = connection === undefined ? undefined : namedIn(String(connection));
  // With a transfer coding the length is not the body's (RFC 9112, 6.3), and a 204 has none.
  const withoutLength = parsed['transfer-encoding'] !== undefined || status === 204;
  let via = '';
  for (const name in parsed) {
    const value = parsed[name] as string | readonly string[];
    if (hopByHop.has(name) || named?.has(name) === true) continue;
    if (name === 'content-length' && withoutLength) continue;
    if (name === 'via') via = `${typeof value === 'string' ? value : value.join(', ')}, `;
    else if (typeof value === 'string') pairs.push(name, value);
    else for (const each of value) pairs.push(name, each);
  }
  if (settings.via !== undefined) pairs.push('via', `${via}1.1 ${settings.via}`);
  else if (via !== '') pairs.push('via', via.slice(0, -2));
  if (settings.responseFields !== undefined) changeFields(pairs, settings.responseFields);
  settings.onResponse?.({ status, headers: new HeaderFields(pairs), upstream }, x);
  return pairs;
}

/** Milliseconds that a response asks to be left alone for (RFC 9110, 10.2.3); 0 if it does not. */
export function retryAfterMs(parsed: ParsedFields, epoch: () => number): number {
  const value = parsed['retry-after'];
  if (typeof value !== 'string') return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - epoch());
}
