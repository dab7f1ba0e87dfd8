import type { Exchange, Pairs } from '@weir/core';
import { field, words } from './fields.ts';

/** Whatever can read a request's headers, repeats joined: an exchange. */
export type HeaderReader = Pick<Exchange, 'header'>;

/** Request header names and the values that a response was selected by. */
export interface Selection {
  readonly names: readonly string[];
  /** Normalised, joined: equal for requests that get the same response. */
  readonly values: string;
}

const none: readonly string[] = [];

/**
 * By which request headers a response was selected: those that `Vary` names, and `Accept-Encoding` if it is encoded,
 * so that a forgotten `Vary` does not send gzip to a client that cannot read it.
 */
export function selectionNames(headers: Pairs): readonly string[] {
  const vary = field(headers, 'vary');
  const encoding = field(headers, 'content-encoding');
  if (vary === undefined && encoding === undefined) return none;
  const names = new Set(words(vary ?? ''));
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') names.add('accept-encoding');
  return [...names].sort();
}

/** What a request has in these headers, in a form that ignores differences without meaning (RFC 9111, 4.1). */
export function selectionValues(names: readonly string[], request: HeaderReader): string {
  let values = '';
  for (const name of names) values += `${normalized(name, request.header(name))}\n`;
  return values;
}

/** Lists of preferences, whose order says nothing but for their weights (RFC 9110, 12.4.2). */
const preferences = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language']);

function normalized(name: string, value: string | undefined): string {
  // No field value has a NUL: a missing field is not an empty one.
  if (value === undefined) return '\0';
  if (preferences.has(name)) return normalizedPreferences(value);
  return splitOutsideQuotes(value)
    .map((member) => member.trim())
    .filter((member) => member !== '')
    .join(',');
}

function normalizedPreferences(value: string): string {
  const members = splitOutsideQuotes(value.toLowerCase())
    .map((member) => member.replace(/[\t ]*([;=])[\t ]*/g, '$1').trim())
    .filter((member) => member !== '')
    .map((member) => member.replace(/;q=1(?:\.0{0,3})?$/, ''));
  return members.sort().join(',');
}

function splitOutsideQuotes(value: string): string[] {
  return value.includes('"') ? (value.match(/(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g) ?? []) : value.split(',');
}
