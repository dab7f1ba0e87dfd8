import { InvalidOptionError, knownOptions } from '@weir/core';
import type { HashKey } from './hash-key.ts';
import { fingerprint } from './internal/fingerprint.ts';
import { idOf } from './internal/id-of.ts';
import type { Placement } from './topology.ts';

/** What bounds can be: all of them text (compared by UTF-16 code units, as `<` does), or all of them numbers. */
export type Bound = string | number | bigint;

/** Keys from `start` (included) to `end` (excluded), and where they are. */
export interface ShardRange<T> {
  /** Left out: no lower bound. Only for the first range. */
  readonly start?: Bound | undefined;
  /** Left out: no upper bound. Only for the last range. */
  readonly end?: Bound | undefined;
  readonly shard: T;
}

/** Shards by ranges of the keys themselves. Immutable. */
export interface RangeShards<T> extends Placement<T> {
  /** Ascending; each starts where the one before it ends. */
  readonly ranges: readonly ShardRange<T>[];
  /**
   * The shard of a key; undefined outside all ranges. O(log ranges).
   *
   * @throws InvalidOptionError if the key cannot be compared with the bounds.
   */
  get(key: HashKey): T | undefined;
  /**
   * The table with one range cut in two at `at`; what lies at and above it goes to `shard`.
   *
   * @throws InvalidOptionError if no range has `at` inside it.
   */
  split(at: Bound, shard: T): RangeShards<T>;
  /**
   * The table with the two ranges that meet at `at` made one, owned by the lower one's shard, or by `shard`.
   *
   * @throws InvalidOptionError if no two ranges meet there.
   */
  merge(at: Bound, shard?: T): RangeShards<T>;
}

/**
 * Shards by range, as Vitess, Bigtable and MongoDB do: neighbouring keys stay together, and a range that grows is split.
 *
 * @param ranges in any order
 * @throws InvalidOptionError if ranges leave a gap, overlap, are empty, or mix text with numbers.
 *
 * @example
 * const shards = rangeShards([
 *   { end: 'm', shard: 'db-1' },
 *   { start: 'm', shard: 'db-2' },
 * ]);
 * shards.get('newton'); // 'db-2'
 * shards.split('t', 'db-3').get('turing'); // 'db-3'
 */
export function rangeShards<T>(ranges: readonly ShardRange<T>[]): RangeShards<T> {
  if (!Array.isArray(ranges)) throw new InvalidOptionError('ranges', 'an array', ranges);
  for (const range of ranges) knownOptions(range, ['start', 'end', 'shard'], 'a range');
  const sorted = ranges.map(({ start, end, shard }: ShardRange<T>) => ({ start, end, shard })).sort(byStart);
  return new Table(sorted);
}

class Table<T> implements RangeShards<T> {
  readonly ranges: readonly ShardRange<T>[];
  /** What bounds and keys both are. */
  readonly #type: 'text' | 'number' | undefined;
  #version: string | undefined;

  constructor(ranges: readonly ShardRange<T>[]) {
    this.ranges = ranges;
    const bounds = ranges.flatMap(({ start, end }) => [start, end]).filter((bound) => bound !== undefined);
    const types = new Set(bounds.map(typeOf));
    if (types.size > 1)
      throw new InvalidOptionError('ranges', 'bounded by text or by numbers, not by both', ranges);
    this.#type = [...types][0];
    for (const [i, { start, end }] of ranges.entries()) {
      if (start !== undefined && end !== undefined && !(start < end)) {
        throw new InvalidOptionError('ranges', 'ranges with start < end', `${start} .. ${end}`);
      }
      if (i > 0) meet(ranges[i - 1]!.end, start);
    }
  }

  get version(): string {
    this.#version ??= fingerprint(
      this.ranges.map(({ start, end, shard }) => [show(start), show(end), idOf(shard)]),
    );
    return this.#version;
  }

  get(key: HashKey): T | undefined {
    if (this.#type !== undefined && typeOf(key) !== this.#type) {
      throw new InvalidOptionError('key', this.#type === 'text' ? 'a string' : 'a number or bigint', key);
    }
    const range = this.ranges[this.#at(key as Bound)];
    return range === undefined || (range.end !== undefined && key >= range.end) ? undefined : range.shard;
  }

  split(at: Bound, shard: T): RangeShards<T> {
    const i = typeOf(at) === (this.#type ?? typeOf(at)) ? this.#at(at) : -1;
    const range = this.ranges[i];
    if (range === undefined || range.start === at || (range.end !== undefined && at >= range.end)) {
      throw new InvalidOptionError('at', 'a key inside a range', at);
    }
    return new Table(
      this.ranges.toSpliced(i, 1, { ...range, end: at }, { start: at, end: range.end, shard }),
    );
  }

  merge(at: Bound, shard?: T): RangeShards<T> {
    const i = this.ranges.findIndex(({ end }, j) => end === at && j + 1 < this.ranges.length);
    if (i === -1) throw new InvalidOptionError('at', 'where two ranges meet', at);
    const lower = this.ranges[i]!;
    const merged = { start: lower.start, end: this.ranges[i + 1]!.end, shard: shard ?? lower.shard };
    return new Table(this.ranges.toSpliced(i, 2, merged));
  }

  /** The last range that starts at or before the key; -1 if none does. */
  #at(key: Bound): number {
    let from = 0;
    let to = this.ranges.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const { start } = this.ranges[middle]!;
      if (start === undefined || start <= key) from = middle + 1;
      else to = middle;
    }
    return from - 1;
  }
}

function meet(end: Bound | undefined, start: Bound | undefined): void {
  if (end === undefined || start === undefined || start < end) {
    throw new InvalidOptionError('ranges', 'ranges that do not overlap', show(start));
  }
  if (start > end) throw new InvalidOptionError('ranges', 'ranges without a gap', `${end} .. ${start}`);
}

function byStart<T>(a: ShardRange<T>, b: ShardRange<T>): number {
  if (a.start === undefined || b.start === undefined)
    return a.start === b.start ? 0 : a.start === undefined ? -1 : 1;
  return a.start < b.start ? -1 : Number(a.start > b.start);
}

function typeOf(bound: unknown): 'text' | 'number' {
  if (typeof bound === 'string') return 'text';
  if (typeof bound === 'bigint' || (typeof bound === 'number' && !Number.isNaN(bound))) return 'number';
  throw new InvalidOptionError('key', 'a string, a number or a bigint', bound);
}

/** A bound as JSON can carry it; text and numbers do not mix within a table. */
function show(bound: Bound | undefined): string | null {
  return bound === undefined ? null : String(bound);
}
