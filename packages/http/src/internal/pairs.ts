import type { Pairs } from '@weir/core';

/** Pairs as an object, repeats as arrays. */
export function recordOf(pairs: Pairs): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = {};
  for (let i = 0; i < pairs.length; i += 2) {
    const [name, value] = [pairs[i] as string, pairs[i + 1] as string];
    const before = record[name];
    if (before === undefined) record[name] = value;
    else record[name] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return record;
}

/** Pairs as web headers. */
export function headersOf(pairs: Pairs): Headers {
  const headers = new Headers();
  for (let i = 0; i < pairs.length; i += 2) headers.append(pairs[i] as string, pairs[i + 1] as string);
  return headers;
}

/** The value of a header that stands in a list once or not at all. */
export function valueIn(pairs: Pairs, lowerName: string): string | undefined {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === lowerName) return pairs[i + 1];
  return undefined;
}
