import type { Pairs } from '@weir/core';
import { field, words } from './fields.ts';
import { type Member, parseDictionary } from './structured-fields.ts';

/** What `Cache-Control`, or a field in its place, says (RFC 9111, 5.2; RFC 5861). Times in seconds. */
export interface Directives {
  readonly maxAge: number | undefined;
  readonly sMaxage: number | undefined;
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
  readonly maxStale: number | undefined;
  readonly minFresh: number | undefined;
  /** Without field names; with them they are in `heldBack`. */
  readonly noCache: boolean;
  readonly private: boolean;
  /** Fields named by `no-cache="..."` and `private="..."`, lower-case. */
  readonly heldBack: readonly string[];
  readonly noStore: boolean;
  readonly public: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly onlyIfCached: boolean;
}

/** The greatest number of seconds that is kept; more means as much (RFC 9111, 1.2.2). */
const longest = 2_147_483_648;

/** Name to argument; undefined for none. */
type Arguments = ReadonlyMap<string, string | undefined>;

/** What was read last: a service says the same few things over and over. */
const known = new Map<string, Directives>();
const mostKnown = 100;

/** Reads `Cache-Control`, its lines joined. Of a directive that comes twice the first counts (RFC 9111, 4.2.1). */
export function parseCacheControl(value: string): Directives {
  let directives = known.get(value);
  if (directives === undefined) {
    directives = readCacheControl(value);
    if (known.size === mostKnown) known.clear();
    if (value.length <= 256) known.set(value, directives);
  }
  return directives;
}

function readCacheControl(value: string): Directives {
  const first = new Map<string, string | undefined>();
  const unqualified = new Set<string>();
  const named: string[] = [];
  for (const [name, argument] of directivesIn(value)) {
    if (name === 'no-cache' || name === 'private') {
      if (argument === undefined) unqualified.add(name);
      else named.push(...words(argument));
    }
    if (!first.has(name)) first.set(name, argument);
  }
  return directivesOf(first, unqualified, named);
}

/**
 * A targeted field (RFC 9213): the same directives as a strict dictionary.
 *
 * @returns undefined if the field is empty, is not a dictionary, or gives a directive a value of the wrong type; then
 *   it counts as absent.
 */
export function parseTargeted(value: string): Directives | undefined {
  const members = parseDictionary(value);
  if (members === undefined || members.size === 0) return undefined;
  const given = new Map<string, string | undefined>();
  const unqualified = new Set<string>();
  const named: string[] = [];
  for (const [name, member] of members) {
    if (seconds.has(name)) {
      if (member.type !== 'integer') return undefined;
      given.set(name, String(member.value));
    } else if (name === 'no-cache' || name === 'private') {
      if (member.type === 'string') named.push(...words(member.value));
      else if (isTrue(member)) unqualified.add(name);
    } else if (isTrue(member)) given.set(name, undefined);
  }
  return directivesOf(given, unqualified, named);
}

/** The directives that hold for a response, and whether a targeted field gave them. */
export function responseDirectives(
  headers: Pairs,
  targets: readonly string[],
): { readonly directives: Directives; readonly targeted: boolean } {
  for (const name of targets) {
    const value = field(headers, name);
    const directives = value === undefined ? undefined : parseTargeted(value);
    if (directives !== undefined) return { directives, targeted: true };
  }
  return { directives: parseCacheControl(field(headers, 'cache-control') ?? ''), targeted: false };
}

const seconds = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']);

const isTrue = ({ type, value }: Member): boolean => type === 'boolean' && value;

function directivesOf(given: Arguments, unqualified: Set<string>, heldBack: string[]): Directives {
  const lifetime = (name: string): number | undefined =>
    // A lifetime that cannot be read makes a response stale (RFC 9111, 4.2.1).
    given.has(name) ? (delta(given.get(name)) ?? 0) : undefined;
  return {
    maxAge: lifetime('max-age'),
    sMaxage: lifetime('s-maxage'),
    staleWhileRevalidate: delta(given.get('stale-while-revalidate')),
    staleIfError: delta(given.get('stale-if-error')),
    maxStale:
      given.has('max-stale') && given.get('max-stale') === undefined
        ? longest
        : delta(given.get('max-stale')),
    minFresh: delta(given.get('min-fresh')),
    noCache: unqualified.has('no-cache'),
    private: unqualified.has('private'),
    heldBack,
    noStore: given.has('no-store'),
    public: given.has('public'),
    mustRevalidate: given.has('must-revalidate'),
    proxyRevalidate: given.has('proxy-revalidate'),
    mustUnderstand: given.has('must-understand'),
    onlyIfCached: given.has('only-if-cached'),
  };
}

/** Delta-seconds (RFC 9111, 1.2.2). */
export function delta(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), longest) : undefined;
}

const tokenChars = /[!#$%&'*+.^`|~\w-]/;

/** Walks over a list once; what is no directive is skipped to the next comma outside quotes. */
function* directivesIn(value: string): Generator<[name: string, argument: string | undefined]> {
  let at = 0;
  const take = (pattern: RegExp): string => {
    const start = at;
    while (at < value.length && pattern.test(value.charAt(at))) at += 1;
    return value.slice(start, at);
  };
  while (at < value.length) {
    take(/[\t ,]/);
    const name = take(tokenChars).toLowerCase();
    let argument: string | undefined;
    if (name !== '' && value.charAt(at) === '=') {
      at += 1;
      if (value.charAt(at) !== '"') argument = take(/[^\s",]/);
      else {
        const end = endOfQuotes(value, at);
        argument = value.slice(at + 1, end - 1).replace(/\\(.)/g, '$1');
        at = end;
      }
    }
    take(/[\t ]/);
    const whole = at >= value.length || value.charAt(at) === ',';
    if (whole && name !== '') yield [name, argument];
    while (at < value.length && value.charAt(at) !== ',')
      at = value.charAt(at) === '"' ? endOfQuotes(value, at) : at + 1;
  }
}

/** Where a quoted string ends, one behind its last quote; quotes that are never closed go to the end. */
function endOfQuotes(value: string, start: number): number {
  for (let at = start + 1; at < value.length; at += 1) {
    if (value.charAt(at) === '\\') at += 1;
    else if (value.charAt(at) === '"') return at + 1;
  }
  return value.length + 1;
}
