import type { RemoteEntry } from '../remote.ts';
import type { Serializer } from './serializer.ts';

/** An entry as it lies in Redis, before its value is decoded. */
export interface Envelope {
  readonly number: number;
  readonly writtenAt: number;
  readonly ttlMs: number;
  readonly graceMs: number;
  readonly loadMs: number;
  readonly tags: readonly string[];
  /** The value, as the serializer left it. */
  readonly rest: string | Uint8Array;
}

/** Of the format. Entries of others are misses. */
const VERSION = 'w1';

/** What an entry begins with. Then follow number, time, ttl, grace, duration of the load; tags; value. */
export const envelopeOf = (serializer: Serializer): string => `${VERSION} ${serializer.name}`;

/**
 * Undefined: none, or one of another format.
 *
 * @param envelope of the serializer that it must be of
 */
export function open(data: string | Uint8Array | null, envelope: string): Envelope | undefined {
  if (data === null) return undefined;
  const newline = (typeof data === 'string' ? '\n' : 10) as never;
  const at = data.indexOf(newline);
  const end = data.indexOf(newline, at + 1);
  if (at < 0 || end < 0) return undefined;
  const header = read(data, 0, at);
  if (!header.startsWith(`${envelope} `)) return undefined;
  const numbers = header.slice(envelope.length + 1).split(' ');
  if (numbers.length !== 5) return undefined;
  return {
    number: Number(numbers[0]),
    writtenAt: Number(numbers[1]),
    ttlMs: Number(numbers[2]),
    graceMs: Number(numbers[3]),
    loadMs: Number(numbers[4]),
    tags: end === at + 1 ? [] : JSON.parse(read(data, at + 1, end)),
    rest: typeof data === 'string' ? data.slice(end + 1) : data.subarray(end + 1),
  };
}

/** Number and time of an entry, of whatever format; '' if there is none. */
export function versionOf(data: string | Uint8Array | null): string {
  if (data === null) return '';
  return /^\S+ \S+ (\d+ \d+) /.exec(read(data, 0, 120))?.[1] ?? '';
}

function read(data: string | Uint8Array, from: number, to: number): string {
  return typeof data === 'string' ? data.slice(from, to) : new TextDecoder().decode(data.subarray(from, to));
}

/** The last arguments of a write. Whole ms. */
export function seal(entry: RemoteEntry, serializer: Serializer): readonly (string | Uint8Array)[] {
  const { ttlMs, graceMs, loadMs, tags, value } = entry;
  const times = [ttlMs, graceMs, loadMs].map((ms) => String(Math.min(Math.ceil(ms), LONGEST)));
  return [...times, tags.length === 0 ? '' : JSON.stringify(tags), serializer.encode(value)];
}

/** 100 years, ms: Redis adds it to its clock. */
const LONGEST = 3_155_760_000_000;
