import type { Exchange, Head, Tap } from '@weir/core';
import type { Times } from './freshness.ts';
import type { Keeper } from './keeper.ts';
import { freshen, isWhole, type StoredResponse } from './stored-response.ts';
import { confirms } from './validators.ts';

/** What the origin answers to a HEAD tells of the stored response to a GET (RFC 9111, 4.3.5). */
export class HeadUpdate implements Tap {
  readonly #keeper: Keeper;
  readonly #x: Exchange;
  readonly #key: string;
  readonly #stored: StoredResponse;
  readonly #arrival: () => Times;

  constructor(keeper: Keeper, x: Exchange, key: string, stored: StoredResponse) {
    this.#keeper = keeper;
    this.#x = x;
    this.#key = key;
    this.#stored = stored;
    this.#arrival = keeper.departure();
  }

  head({ status, headers }: Head): false {
    const keeper = this.#keeper;
    const stored = this.#stored;
    keeper.label(this.#x, 'stale', { status });
    if (status >= 500 || status === 304) return false;
    const same =
      status === stored.status &&
      confirms(headers, stored.validators) &&
      isWhole(headers, stored.body.length);
    const times = this.#arrival();
    if (!same) stored.expire(times.received);
    else {
      const updated = freshen(stored, headers, times, keeper.settings, (head) =>
        keeper.tags(head, this.#key),
      );
      const { noStore, private: isPrivate } = updated.terms.directives;
      if (noStore || isPrivate) keeper.store.remove(this.#key, stored);
      else keeper.store.replace(this.#key, stored, updated);
    }
    return false;
  }
}
