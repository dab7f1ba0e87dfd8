import type { Exchange, Head, Reply, Tap } from '@weir/core';
import type { Address } from './cache-key.ts';
import type { Forwarded } from './cache-status.ts';
import { field } from './fields.ts';
import type { Flight } from './flights.ts';
import type { Times } from './freshness.ts';
import type { Incoming } from './incoming.ts';
import type { Keeper } from './keeper.ts';
import { type Asked, serve } from './serve.ts';
import { whyNotStored } from './storability.ts';
import {
  type Audience,
  audienceOf,
  freshen,
  isWhole,
  personalLines,
  type StoredResponse,
  storedFrom,
} from './stored-response.ts';
import { type Terms, termsOf } from './terms.ts';
import { confirms } from './validators.ts';

/** The origin's failures that a stale response may stand in for (RFC 5861, 4). */
const failures = new Set([500, 502, 503, 504]);

/** What a request to the origin is for. */
export interface Errand {
  readonly why: Forwarded;
  readonly detail?: string | undefined;
  /** Others wait for its answer. */
  readonly flight?: Flight | undefined;
  /** The stored response that it asks about, with the validators of this one. */
  readonly validating?: StoredResponse | undefined;
  /** What the client itself asked, where its request has been rewritten. */
  readonly asked?: Asked | undefined;
}

/** What came in so far of a response that is to be stored. */
interface Capture {
  readonly head: Head;
  readonly audience: Audience;
  readonly terms: Terms;
  readonly times: Times;
  readonly incoming: Incoming;
}

/** Follows the answer to one request that went to the origin, and keeps it if it may be kept. */
export class Fill implements Tap {
  readonly #keeper: Keeper;
  readonly #x: Exchange;
  readonly #address: Address;
  readonly #errand: Errand;
  readonly #arrival: () => Times;
  readonly #opened: number;
  #capture: Capture | undefined = undefined;
  #closed = false;
  /** Whether those who wait have been told. */
  #told: boolean;

  constructor(keeper: Keeper, x: Exchange, address: Address, errand: Errand) {
    this.#keeper = keeper;
    this.#x = x;
    this.#address = address;
    this.#errand = errand;
    this.#told = errand.flight === undefined;
    this.#arrival = keeper.departure();
    this.#opened = keeper.purges.open();
  }

  head(head: Head): Reply | false | undefined {
    const keeper = this.#keeper;
    const times = this.#arrival();
    const { validating } = this.#errand;
    if (validating !== undefined) {
      if (head.status === 304) return this.#confirmed(validating, head, times);
      if (failures.has(head.status)) {
        validating.failedAt = times.received;
        if (validating.survivesError(times.received)) return this.#standIn(validating, head, times);
      }
    }
    const terms = termsOf(head, times, keeper.settings);
    const why = this.#refusal(head, terms);
    if (why !== undefined) {
      keeper.label(this.#x, this.#errand.why, { status: head.status, detail: this.#errand.detail ?? why });
      // It has been replaced by something that may not be kept.
      if (validating !== undefined && head.status < 500) keeper.store.remove(this.#address.key, validating);
      if (!this.#told && this.#errand.flight?.waiters.size !== 0)
        keeper.store.pass(this.#address.key, times.received + keeper.passTime);
      this.#tell('alone');
      this.#close();
      return false;
    }
    const audience = audienceOf(head.headers, this.#x, this.#address.addressed);
    const incoming = keeper.incoming(contentLength(head));
    this.#capture = { head, audience, terms, times, incoming };
    keeper.label(this.#x, this.#errand.why, { status: head.status, stored: true });
    if (!this.#told && this.#errand.flight !== undefined)
      keeper.flights.narrow(this.#errand.flight, audience.selection);
    return undefined;
  }

  chunk(chunk: Uint8Array): false | undefined {
    if (this.#capture === undefined) return false;
    if (this.#capture.incoming.add(chunk)) return undefined;
    this.#keeper.counts.tooLarge += 1;
    this.#tell('alone');
    this.#close();
    return false;
  }

  end(complete: boolean): void {
    if (this.#closed) return;
    try {
      if (complete && this.#capture !== undefined) this.#finish(this.#capture);
    } finally {
      this.#close();
    }
  }

  /** The exchange is over. If no answer came because the client went, somebody else fetches it. */
  left(aborted: boolean): void {
    const { flight } = this.#errand;
    this.#close();
    if (this.#told || flight === undefined) return;
    this.#told = true;
    if (aborted) this.#keeper.flights.promote(flight);
    else this.#keeper.flights.settle(flight, 'alone');
  }

  #finish({ head, audience, terms, times, incoming }: Capture): void {
    const { store, counts } = this.#keeper;
    const body = incoming.take();
    if (!isWhole(head.headers, body.length)) {
      counts.truncated += 1;
      return;
    }
    const stored = storedFrom(head, body, audience, terms, times, this.#tags(head));
    if (this.#admits(stored) && store.put(this.#address.key, stored)) counts.stored += 1;
    this.#tell('look');
  }

  /** The stored response still holds (RFC 9111, 4.3.3 and 4.3.4). */
  #confirmed(old: StoredResponse, head: Head, times: Times): Reply {
    const keeper = this.#keeper;
    let stored = old;
    if (confirms(head.headers, old.validators)) {
      stored = freshen(old, head.headers, times, keeper.settings, (merged) => this.#tags(merged));
      const kept = { status: stored.status, headers: stored.headers };
      const why = whyNotStored(kept, stored.terms.directives, stored.terms.explicitLifetime, this.#request());
      if (why !== undefined) keeper.store.remove(this.#address.key, old);
      else if (this.#admits(stored)) keeper.store.replace(this.#address.key, old, stored);
    } else keeper.store.remove(this.#address.key, old);
    keeper.counts.revalidated += 1;
    return this.#answer(stored, head, times, personalLines(head.headers));
  }

  /** The origin fails, and a stale response takes the place of its error. */
  #standIn(stale: StoredResponse, head: Head, times: Times): Reply {
    this.#keeper.counts.staleOnError += 1;
    return this.#answer(stale, head, times, [], 'stale-if-error');
  }

  #answer(stored: StoredResponse, head: Head, times: Times, extra: string[], detail?: string): Reply {
    this.#tell('look');
    this.#close();
    const { status } = this.#keeper;
    const label =
      status && ((ttl: number) => status.forwarded(this.#errand.why, { status: head.status, ttl, detail }));
    return serve(stored, this.#errand.asked ?? this.#x, times.received, () => times.epoch, {
      status: label,
      extra,
    });
  }

  #refusal(head: Head, terms: Terms): string | undefined {
    const why = whyNotStored(head, terms.directives, terms.explicitLifetime, this.#request());
    if (why !== undefined) return why;
    const length = contentLength(head) ?? 0;
    return this.#keeper.hasRoomFor(length) ? undefined : 'size';
  }

  #request(): { authorized: boolean; noStore: boolean } {
    return {
      authorized: this.#x.header('authorization') !== undefined,
      noStore: this.#keeper.forbidsStoring(this.#x),
    };
  }

  /** Whether no purge has come between; a soft one makes it stale. */
  #admits(stored: StoredResponse): boolean {
    const purged = this.#keeper.purges.since(this.#opened, this.#address.key, stored.tags);
    if (purged === 'soft') stored.expire(this.#keeper.now());
    return purged !== 'hard';
  }

  #tags(head: Head): readonly string[] {
    return this.#keeper.tags(head, this.#address.key);
  }

  #tell(verdict: 'look' | 'alone'): void {
    if (this.#told || this.#errand.flight === undefined) return;
    this.#told = true;
    this.#keeper.flights.settle(this.#errand.flight, verdict);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#capture?.incoming.drop();
    this.#capture = undefined;
    this.#keeper.purges.close();
  }
}

function contentLength(head: Head): number | undefined {
  const value = field(head.headers, 'content-length');
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
