import type { Exchange, Head, Reply, Tap } from '@weir/core';
import { type Address, keyOfUrl, originOf } from './cache-key.ts';
import { field, firstLine } from './fields.ts';
import { Fill } from './fill.ts';
import type { Times } from './freshness.ts';
import { groupTags, isGroupTag } from './groups.ts';
import type { Keeper } from './keeper.ts';
import type { Purge } from './purges.ts';
import { termsOf } from './terms.ts';

/** Methods that change nothing (RFC 9110, 9.2.1, and the registry of methods). */
const safeMethods = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'REPORT',
  'SEARCH',
  'QUERY',
  'PRI',
]);

export function isSafe(method: string): boolean {
  return safeMethods.has(method);
}

/** Invalidates what a request that may have changed something makes doubtful (RFC 9111, 4.4). */
export class Invalidation implements Tap {
  readonly #keeper: Keeper;
  readonly #x: Exchange;
  readonly #address: Address;
  #fill: Fill | undefined = undefined;
  readonly #arrival: () => Times;

  constructor(keeper: Keeper, x: Exchange, address: Address) {
    this.#keeper = keeper;
    this.#x = x;
    this.#address = address;
    this.#arrival = keeper.departure();
  }

  head(head: Head): Reply | false | undefined {
    const keeper = this.#keeper;
    const { headers, status } = head;
    if (status < 200 || status > 399) {
      keeper.label(this.#x, 'method', { status });
      return false;
    }
    const count = invalidate(keeper, this.#address.key, headers);
    keeper.counts.invalidated += count;
    if (!this.#answersGet(head)) {
      keeper.label(this.#x, 'method', { status });
      return false;
    }
    this.#fill = new Fill(keeper, this.#x, this.#address, { why: 'method' });
    return this.#fill.head(head);
  }

  chunk(chunk: Uint8Array): false | undefined {
    return this.#fill?.chunk(chunk);
  }

  end(complete: boolean): void {
    this.#fill?.end(complete);
  }

  /** A POST may bring what a later GET would get, if it says so and for how long (RFC 9110, 9.3.3). */
  #answersGet(head: Head): boolean {
    if (this.#x.method !== 'POST' || head.status !== 200) return false;
    const location = firstLine(head.headers, 'content-location');
    if (location === undefined || resolve(location, this.#address.key) !== this.#address.key) return false;
    return termsOf(head, this.#arrival(), this.#keeper.settings).explicitLifetime !== undefined;
  }
}

/** @returns how many stored responses it concerned */
function invalidate(keeper: Keeper, key: string, headers: Head['headers']): number {
  const hard = (by: 'key' | 'tag', value: string): Purge => ({ by, value, soft: false });
  const keys = new Set([key]);
  for (const name of ['location', 'content-location']) {
    const value = field(headers, name);
    const other = value === undefined ? undefined : resolve(value, key);
    // Never another origin's: anybody could name it (RFC 9111, 4.4).
    if (other !== undefined && originOf(other) === originOf(key)) keys.add(other);
  }
  const groups = new Set(groupTags(headers, 'cache-group-invalidation', key));
  for (const each of keeper.store.tagsOf(key)) if (isGroupTag(each)) groups.add(each);
  let count = 0;
  for (const purge of [
    ...[...keys].map((each) => hard('key', each)),
    ...[...groups].map((tag) => hard('tag', tag)),
  ]) {
    count += keeper.purge(purge);
    // The answer does not wait for the others. That they could not be told is counted.
    keeper.sharing?.tell(purge).catch(() => {});
  }
  return count;
}

/** A reference as the key it means, if it can be read. */
function resolve(reference: string, base: string): string | undefined {
  try {
    return keyOfUrl(new URL(reference, base).href);
  } catch {
    return undefined;
  }
}
