import { type Duration, duration, InvalidOptionError, integer, knownOptions } from '@weir/core';
import type { Algorithm, Limit } from '../limit.ts';
import type { Column } from './column.ts';
import type { Time } from './timeline.ts';

/** Above this, counts and times together would leave the whole numbers that a double holds. */
const largestLimit = 1e12;
/** 366 days. */
const longestPer = 366 * 86_400_000;

interface WindowOptions {
  readonly limit: number;
  readonly per: Duration;
  readonly name?: string;
}

interface Definition {
  readonly algorithm: Algorithm;
  /** What the bucket's size is called, where it may be chosen. */
  readonly size?: string;
  readonly max?: number;
  column(limit: Limit, time: Time): Column;
}

/** Checks the options that all algorithms share and makes the limit. */
export function defineLimit(options: WindowOptions, definition: Definition): Limit {
  const { algorithm, size = 'name', max = largestLimit } = definition;
  knownOptions(options, ['limit', 'per', 'name', size], algorithm);
  const limit = integer(options.limit, 'limit', 1, max);
  const perMs = duration(options.per, 'per', { min: 1, max: longestPer });
  if (perMs % 1 !== 0) throw new InvalidOptionError('per', 'a whole number of milliseconds', options.per);
  const given = size === 'name' ? limit : (Object(options)[size] ?? limit);
  const { name = `${limit}-per-${inWords(perMs)}` } = options;
  return make(definition, printable(name, 'name'), limit, perMs, integer(given, size, 1, largestLimit));
}

function make(definition: Definition, name: string, limit: number, perMs: number, capacity: number): Limit {
  const { algorithm } = definition;
  const made: Limit = {
    algorithm,
    name,
    limit,
    perMs,
    capacity,
    windowMs: (perMs * capacity) / limit,
    id: JSON.stringify([algorithm, name, limit, perMs, capacity]),
    column: (time) => definition.column(made, time),
    share: (part) => {
      const some = (units: number): number => Math.max(1, Math.floor(units * part));
      return make(definition, name, some(limit), perMs, some(capacity));
    },
  };
  return made;
}

/** A name that can stand in a structured header (RFC 9651, section 3.3.3). */
function printable(name: unknown, option: string): string {
  if (typeof name === 'string' && /^[ -~]{1,100}$/.test(name)) return name;
  throw new InvalidOptionError(option, '1 to 100 printable ASCII characters', name);
}

function inWords(ms: number): string {
  for (const [letter, length] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms % length === 0) return ms / length + letter;
  }
  return `${ms}ms`;
}
