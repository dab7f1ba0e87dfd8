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
  value(): unknown;
}

/** Of the format. Entries of others are misses. */
const VERSION = 'w1';

/** What an entry begins with. Then follow number, time, ttl, grace, duration of the load; tags; value. */
export const envelopeOf = (serializer: Serializer): string => `${VERSION} ${serializer.name}`;

/** Undefined: none, or one of another format. */
export function open(data: string | Uint8Array | null, serializer: Serializer): Envelope | undefined {
  if (data === null) return undefined;
  const text = typeof data === 'string' ? data : undefined;
  const at = data.indexOf((text === undefined ? 10 : '\n') as never);
  const end = data.indexOf((text === undefined ? 10 : '\n') as never, at + 1);
  if (at < 0 || end < 0) return undefined;
  const [version, name, ...numbers] = read(data, 0, at).split(' ');
  if (version !== VERSION || name !== serializer.name || numbers.length !== 5) return undefined;
  const [number, writtenAt, ttlMs, graceMs, loadMs] = numbers.map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const tags: readonly string[] = end === at + 1 ? [] : JSON.parse(read(data, at + 1, end));
  const value = (): unknown =>
    serializer.decode((text?.slice(end + 1) ?? (data as Uint8Array).subarray(end + 1)) as never);
  return { number, writtenAt, ttlMs, graceMs, loadMs, tags, value };
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
