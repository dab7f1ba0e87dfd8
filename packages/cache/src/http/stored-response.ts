import type { Head, Pairs, Reply } from '@weir/core';
import { field, firstLine, storableFields, updatedFields } from './fields.ts';
import { dateOf, type Times } from './freshness.ts';
import { formatHttpDate } from './http-date.ts';
import { type TermSettings, type Terms, termsOf } from './terms.ts';
import { type Validators, validatorsOf } from './validators.ts';
import { type HeaderReader, type Selection, selectionNames, selectionValues } from './vary.ts';

/** What an entry takes beside its texts and its body: objects, the maps that find it. An estimate. */
const overhead = 600;

/** Which requests a response is for, beside its key. */
export interface Audience {
  readonly selection: Selection;
  /** See `addressedBy`. */
  readonly addressed: string;
}

/** A response as it is kept. All but the marks at the end is fixed: an update makes another one. */
export class StoredResponse {
  readonly status: number;
  /** Without the fields that are worked out for each answer. Always has a `date`. */
  readonly headers: Pairs;
  readonly body: Uint8Array;
  readonly audience: Audience;
  readonly terms: Terms;
  readonly validators: Validators;
  readonly tags: readonly string[];
  /** The place of its request among all that went out: a later one knows better. */
  readonly order: number;
  readonly bytes: number;
  /** ms; an operator or a HEAD may cut it short. */
  lifetime: number;
  /** When the origin last failed to say whether it still holds, monotonic ms. */
  failedAt: number = Number.NEGATIVE_INFINITY;
  /** The plain hit of the current second of its age, which most requests get. */
  hit: { readonly age: number; readonly reply: Reply } | undefined = undefined;

  constructor(
    head: Head,
    body: Uint8Array,
    audience: Audience,
    terms: Terms,
    times: Times,
    tags: readonly string[],
  ) {
    this.status = head.status;
    this.headers = head.headers;
    this.body = body;
    this.audience = audience;
    this.terms = terms;
    this.validators = validatorsOf(head.headers, dateOf(head.headers, times));
    this.tags = tags;
    this.order = times.order;
    this.lifetime = terms.lifetime;
    this.bytes =
      overhead +
      body.length +
      sizeOf(head.headers) +
      sizeOf(tags) +
      sizeOf([audience.selection.values, audience.addressed]);
  }

  /** How long it is still fresh, ms; negative: how long it has been stale. */
  freshFor(now: number): number {
    return this.terms.bornAt + this.lifetime - now;
  }

  age(now: number): number {
    return Math.max(0, Math.floor((now - this.terms.bornAt) / 1000));
  }

  /** From now on it is stale. */
  expire(now: number): void {
    this.lifetime = Math.min(this.lifetime, now - this.terms.bornAt);
    this.hit = undefined;
  }

  /** Whether it may be used, though stale, while somebody revalidates it. */
  survivesRevalidation(now: number): boolean {
    return this.terms.staleWhile > 0 && -this.freshFor(now) <= this.terms.staleWhile;
  }

  /** Whether it may be used, though stale, if the origin fails. */
  survivesError(now: number): boolean {
    return this.terms.staleOnError > 0 && -this.freshFor(now) <= this.terms.staleOnError;
  }

  get contentLength(): number | undefined {
    return this.status === 204 ? undefined : this.body.length;
  }
}

/** For whom a response to this request is. */
export function audienceOf(headers: Pairs, request: HeaderReader, addressed: string): Audience {
  const names = selectionNames(headers);
  return { selection: { names, values: selectionValues(names, request) }, addressed };
}

/** A response as it came, made ready to be kept. */
export function storedFrom(
  head: Head,
  body: Uint8Array,
  audience: Audience,
  terms: Terms,
  times: Times,
  tags: readonly string[],
): StoredResponse {
  const headers = withDate(storableFields(head.headers, terms.directives.heldBack), times);
  return new StoredResponse({ status: head.status, headers }, body, audience, terms, times, tags);
}

/**
 * A stored response brought up to date by a 304, or by the head of a HEAD's answer (RFC 9111, 3.2, 4.3.4, 4.3.5).
 *
 * @param tagsOf reads the tags of its new head
 */
export function freshen(
  old: StoredResponse,
  newer: Pairs,
  times: Times,
  settings: TermSettings,
  tagsOf: (head: Head) => readonly string[],
): StoredResponse {
  const aged = withDate(newer, times);
  const merged: Head = { status: old.status, headers: updatedFields(old.headers, aged) };
  const terms = termsOf(merged, times, settings);
  // A cookie in the newer head is for the client that asked.
  const headers = storableFields(merged.headers, [...terms.directives.heldBack, 'set-cookie']);
  return new StoredResponse(
    { status: old.status, headers },
    old.body,
    old.audience,
    terms,
    times,
    tagsOf(merged),
  );
}

/** The lines of the newer head that only the asking client gets. */
export function personalLines(newer: Pairs): string[] {
  const lines: string[] = [];
  for (let i = 0; i < newer.length; i += 2)
    if (newer[i] === 'set-cookie') lines.push('set-cookie', newer[i + 1] as string);
  return lines;
}

/** Whether the body's length, as its head told it, is that of what came. */
export function isWhole(headers: Pairs, length: number): boolean {
  const told = field(headers, 'content-length');
  return told === undefined || told === String(length);
}

function withDate(headers: Pairs, { epoch }: Times): Pairs {
  return firstLine(headers, 'date') === undefined ? [...headers, 'date', formatHttpDate(epoch)] : headers;
}

function sizeOf(texts: readonly string[]): number {
  let sum = 0;
  for (const text of texts) sum += text.length;
  return sum;
}
