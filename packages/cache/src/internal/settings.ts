import {
  callable,
  type Duration,
  duration,
  InvalidOptionError,
  integer,
  oneOf,
  type Random,
  random,
} from '@weir/core';
import type { SharedCacheOptions } from '../cache-options.ts';

/** The options as read once, in ms and with defaults. */
export interface Settings {
  readonly max: number;
  readonly maxBytes: number | undefined;
  readonly sizeOf: SharedCacheOptions['sizeOf'];
  readonly ttl: number;
  readonly grace: number;
  readonly jitter: number;
  readonly earlyRefresh: number;
  readonly softTimeout: number;
  readonly hardTimeout: number;
  readonly negativeTtl: number | undefined;
  readonly errorTtl: number;
  readonly protect: 'freeze' | 'clone' | undefined;
  readonly remoteTimeout: number;
  readonly lockWait: number;
  readonly suspectTtl: number;
  readonly random: Random;
}

export const optionNames: readonly string[] = [
  ...[
    'name',
    'max',
    'maxBytes',
    'sizeOf',
    'ttl',
    'grace',
    'jitter',
    'earlyRefresh',
    'softTimeout',
    'hardTimeout',
  ],
  ...['negativeTtl', 'errorTtl', 'protect', 'clock', 'random', 'remote', 'bus'],
  ...['remoteTimeout', 'lockWait', 'suspectTtl'],
];

/** V8 holds no more in a Map. */
const MOST_ENTRIES = 2 ** 24;
const DEFAULT_ENTRIES = 10_000;
/** What a timer can wait: 24.8 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

interface Range {
  readonly min: number;
  readonly max?: number;
}
export const orZero: Range = { min: 0 };
export const timer: Range = { min: 1, max: LONGEST_TIMER };

export function readSettings(options: SharedCacheOptions): Settings {
  const { maxBytes, sizeOf, protect, remoteTimeout = 100, lockWait = 5000, suspectTtl = 5000 } = options;
  const optional = (value: Duration | undefined, name: string): number | undefined =>
    value === undefined ? undefined : duration(value, name, orZero);
  return {
    // lru-cache: 0 is no limit.
    max:
      options.max === undefined
        ? maxBytes === undefined
          ? DEFAULT_ENTRIES
          : 0
        : integer(options.max, 'max', 1, MOST_ENTRIES),
    maxBytes: maxBytes === undefined ? undefined : integer(maxBytes, 'maxBytes', 1),
    sizeOf: sizeOf === undefined ? undefined : callable(sizeOf, 'sizeOf'),
    ttl: duration(options.ttl, 'ttl'),
    grace: optional(options.grace, 'grace') ?? 0,
    jitter: upTo(1, options.jitter, 'jitter'),
    earlyRefresh: upTo(100, options.earlyRefresh, 'earlyRefresh'),
    softTimeout: duration(options.softTimeout ?? 0, 'softTimeout', { min: 0, max: LONGEST_TIMER }),
    hardTimeout: duration(options.hardTimeout ?? 30_000, 'hardTimeout', timer),
    negativeTtl: optional(options.negativeTtl, 'negativeTtl'),
    errorTtl: optional(options.errorTtl, 'errorTtl') ?? 0,
    protect: protect === undefined ? undefined : oneOf(protect, 'protect', ['freeze', 'clone']),
    remoteTimeout: duration(remoteTimeout, 'remoteTimeout', timer),
    lockWait: duration(lockWait, 'lockWait', { min: 0, max: LONGEST_TIMER }),
    suspectTtl: duration(suspectTtl, 'suspectTtl', timer),
    random: options.random === undefined ? random : callable(options.random, 'random'),
  };
}

function upTo(max: number, value: unknown, option: string): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && value >= 0 && value <= max) return value;
  throw new InvalidOptionError(option, `a number from 0 to ${max}`, value);
}
