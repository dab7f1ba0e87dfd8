import type { Pairs } from '@weir/core';

/** The lines of a field, joined as RFC 9110, 5.3 allows; undefined if there is none. Names are lower-case. */
export function field(pairs: Pairs, name: string): string | undefined {
  let joined: string | undefined;
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] === name) joined = joined === undefined ? pairs[i + 1] : `${joined}, ${pairs[i + 1]}`;
  }
  return joined;
}

/** The first line of a field. */
export function firstLine(pairs: Pairs, name: string): string | undefined {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1];
  return undefined;
}

/** The members of a comma-separated list of words, lower-case, empty ones left out. */
export function words(list: string): string[] {
  return list
    .toLowerCase()
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** Fields that a cache must not store (RFC 9111, 3.1): those of one connection, and those of a proxy's login. */
const unstorable = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields that are worked out anew for each answer. */
const computed = new Set(['age', 'content-length']);

/**
 * The fields of a response that may be stored.
 *
 * @param heldBack those that `no-cache="..."` or `private="..."` keep from being reused, and others to leave out
 */
export function storableFields(pairs: Pairs, heldBack: readonly string[]): string[] {
  const connection = field(pairs, 'connection');
  const named = new Set(connection === undefined ? heldBack : [...words(connection), ...heldBack]);
  const stored: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i] as string;
    if (unstorable.has(name) || computed.has(name) || named.has(name)) continue;
    stored.push(name, pairs[i + 1] as string);
  }
  return stored;
}

/** Fields that describe the stored bytes: an update of the others must not touch them (RFC 9111, 3.2). */
const ofTheBody = new Set(['content-encoding', 'content-length', 'content-range']);

/** Stored fields brought up to date: each field that the newer response has replaces all stored lines of it. */
export function updatedFields(stored: Pairs, newer: Pairs): string[] {
  const replaced = new Set<string>();
  const fresh: string[] = [];
  for (let i = 0; i < newer.length; i += 2) {
    const name = newer[i] as string;
    if (ofTheBody.has(name)) continue;
    replaced.add(name);
    fresh.push(name, newer[i + 1] as string);
  }
  const merged: string[] = [];
  for (let i = 0; i < stored.length; i += 2) {
    if (!replaced.has(stored[i] as string)) merged.push(stored[i] as string, stored[i + 1] as string);
  }
  return [...merged, ...fresh];
}
