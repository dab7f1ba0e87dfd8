import {
  type Clock,
  callable,
  type Duration,
  duration,
  type Exchange,
  fraction,
  type Head,
  InvalidOptionError,
  integer,
  knownOptions,
  type Policy,
  systemClock,
  text,
} from '@weir/core';
import type { Bus } from '../bus.ts';
import { timer } from '../internal/settings.ts';
import type { Heuristic } from './freshness.ts';

/** What a response cache keeps, and on what terms beyond those that responses state. */
export interface CacheResponsesOptions {
  /** In metrics and snapshots. @default 'cache-<n>' */
  readonly name?: string;
  /** Most memory for stored responses and for those that are coming in, each. Bytes, >= 1024. @default 67108864 */
  readonly maxBytes?: number;
  /** A longer body is passed on and not stored. Bytes, 0 to `maxBytes`. @default 1048576 */
  readonly maxEntryBytes?: number;
  /** Responses kept for one URL, by `Vary`. Integer, 1 to 1000. @default 32 */
  readonly maxVariants?: number;
  /**
   * How long a stale response may be used while one request revalidates it, where neither the response says so nor
   * forbids it (RFC 5861, 3). >= 0. @default 0
   */
  readonly staleWhileRevalidate?: Duration;
  /**
   * How long a stale response may be used when the origin fails (500, 502, 503, 504), where neither the response says
   * so nor forbids it (RFC 5861, 4). >= 0. @default 0
   */
  readonly staleIfError?: Duration;
  /**
   * The lifetime of responses that state none but have `Last-Modified`: a share of the time since then. False: none.
   *
   * @default { fraction: 0.1, max: '1d' }
   */
  readonly heuristic?:
    | {
        /** Above 0, at most 1. @default 0.1 */
        readonly fraction?: number;
        /** >= 0. @default '1d' */
        readonly max?: Duration;
      }
    | false;
  /**
   * Response fields that go before `Cache-Control` and `Expires`, the first one that is there (RFC 9213).
   *
   * @default ['cdn-cache-control']
   */
  readonly targets?: readonly string[];
  /**
   * Whether `no-cache`, `max-age`, `min-fresh`, `max-stale` and `Pragma` in requests are followed (RFC 9111, 5.2.1).
   * Any client could then send each of its requests to the origin. `no-store` and `only-if-cached` always are.
   *
   * @default false
   */
  readonly clientDirectives?: boolean;
  /** Request headers that a response may depend on without a `Vary`, beside the usual ones for another host or path. */
  readonly keyHeaders?: readonly string[];
  /** Names by which a response can be purged. Called once for each response that is stored. @default its `Cache-Tag` */
  readonly tags?: (head: Head) => readonly string[];
  /** Asked before anything else: true leaves a request alone. */
  readonly skip?: (x: Exchange) => boolean;
  /** How long a request waits for the answer to another one for the same thing. 0 to 1 h; 0: it does not. @default '10s' */
  readonly maxWait?: Duration;
  /**
   * Revalidates in the background. Without it the first request that finds a stale response revalidates it, and waits
   * for that, while the others get the stale one.
   */
  readonly background?: {
    /** Answers like the origin, on its own: `proxy(pool)`. */
    readonly origin: Policy;
    /** 1 ms to 1 h. @default '30s' */
    readonly timeout?: Duration;
  };
  /** Under what name `Cache-Status` tells what was done (RFC 9211); printable ASCII. False: not at all. @default 'weir' */
  readonly cacheStatus?: string | false;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** A response cache that tells other processes what it forgets. */
export interface SharedResponsesOptions extends CacheResponsesOptions {
  /** Carries purges and invalidations between the response caches of one name. */
  readonly bus: Bus;
  /** How long telling the others may take. 1 ms to 24 days. @default '100ms' */
  readonly remoteTimeout?: Duration;
  /** While the bus is down all that is stored is dropped this often. 1 ms to 24 days. @default '5s' */
  readonly suspectTtl?: Duration;
}

/** The options as read once, in ms and with defaults. */
export interface Settings {
  readonly maxBytes: number;
  readonly maxEntryBytes: number;
  readonly maxVariants: number;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  readonly heuristic: Heuristic | undefined;
  readonly targets: readonly string[];
  readonly clientDirectives: boolean;
  readonly keyHeaders: readonly string[];
  readonly tags: (head: Head) => readonly string[];
  readonly skip: ((x: Exchange) => boolean) | undefined;
  readonly maxWait: number;
  readonly background: { readonly origin: Policy; readonly timeout: number } | undefined;
  readonly cacheStatus: string | undefined;
  readonly clock: Clock;
  readonly bus: Bus | undefined;
  readonly remoteTimeout: number;
  readonly suspectTtl: number;
}

const names: readonly (keyof SharedResponsesOptions)[] = [
  'name',
  'maxBytes',
  'maxEntryBytes',
  'maxVariants',
  'staleWhileRevalidate',
  'staleIfError',
  'heuristic',
  'targets',
  'clientDirectives',
  'keyHeaders',
  'tags',
  'skip',
  'maxWait',
  'background',
  'cacheStatus',
  'clock',
  'bus',
  'remoteTimeout',
  'suspectTtl',
];

const megabyte = 1_048_576;
const hour = 3_600_000;
const grace = { min: 0 };

export function readSettings(options: CacheResponsesOptions & Partial<SharedResponsesOptions>): Settings {
  knownOptions(options, names, 'cacheResponses');
  const { tags = cacheTags, skip, clientDirectives = false, clock = systemClock } = options;
  if (options.name !== undefined) text(options.name, 'name');
  if (typeof clientDirectives !== 'boolean')
    throw new InvalidOptionError('clientDirectives', 'true or false', clientDirectives);
  const maxBytes = integer(options.maxBytes ?? 64 * megabyte, 'maxBytes', 1024);
  const usual = Math.min(megabyte, maxBytes);
  return {
    maxBytes,
    maxEntryBytes: integer(options.maxEntryBytes ?? usual, 'maxEntryBytes', 0, maxBytes),
    maxVariants: integer(options.maxVariants ?? 32, 'maxVariants', 1, 1000),
    staleWhileRevalidate: duration(options.staleWhileRevalidate ?? 0, 'staleWhileRevalidate', grace),
    staleIfError: duration(options.staleIfError ?? 0, 'staleIfError', grace),
    heuristic: readHeuristic(options.heuristic),
    targets: fieldNames(options.targets ?? ['cdn-cache-control'], 'targets'),
    clientDirectives,
    keyHeaders: fieldNames(options.keyHeaders ?? [], 'keyHeaders'),
    tags: callable(tags, 'tags'),
    skip: skip === undefined ? undefined : callable(skip, 'skip'),
    maxWait: duration(options.maxWait ?? '10s', 'maxWait', { min: 0, max: hour }),
    background: readBackground(options.background),
    cacheStatus: readStatusName(options.cacheStatus ?? 'weir'),
    clock,
    bus: readBus(options.bus),
    remoteTimeout: duration(options.remoteTimeout ?? 100, 'remoteTimeout', timer),
    suspectTtl: duration(options.suspectTtl ?? 5_000, 'suspectTtl', timer),
  };
}

function readHeuristic(given: CacheResponsesOptions['heuristic'] = {}): Heuristic | undefined {
  if (given === false) return undefined;
  knownOptions(given, ['fraction', 'max'], 'cacheResponses `heuristic`');
  return {
    fraction: fraction(given.fraction ?? 0.1, 'heuristic.fraction'),
    max: duration(given.max ?? '1d', 'heuristic.max', grace),
  };
}

function readBackground(given: CacheResponsesOptions['background']): Settings['background'] {
  if (given === undefined) return undefined;
  knownOptions(given, ['origin', 'timeout'], 'cacheResponses `background`');
  if (typeof given.origin?.enter !== 'function')
    throw new InvalidOptionError('background.origin', 'a policy', given.origin);
  const timeout = duration(given.timeout ?? '30s', 'background.timeout', { min: 1, max: hour });
  return { origin: given.origin, timeout };
}

function readBus(given: Bus | undefined): Bus | undefined {
  if (given === undefined || typeof given?.join === 'function') return given;
  throw new InvalidOptionError('bus', 'an object with the method join', given);
}

function readStatusName(given: string | false): string | undefined {
  if (given === false) return undefined;
  if (typeof given === 'string' && /^[ -~]+$/.test(given)) return given;
  throw new InvalidOptionError('cacheStatus', 'printable ASCII or false', given);
}

function fieldNames(given: readonly string[], option: string): string[] {
  if (
    Array.isArray(given) &&
    given.every((name) => typeof name === 'string' && /^[!#$%&'*+.^`|~\w-]+$/.test(name))
  )
    return given.map((name: string) => name.toLowerCase());
  throw new InvalidOptionError(option, 'an array of header names', given);
}

/** The comma-separated values of `Cache-Tag`. */
function cacheTags({ headers }: Head): string[] {
  const tags: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cache-tag') continue;
    for (const tag of (headers[i + 1] as string).split(',')) if (tag.trim() !== '') tags.push(tag.trim());
  }
  return tags;
}
