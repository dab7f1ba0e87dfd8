import { WeirError } from '@weir/core';
import type { HashKey } from './hash-key.ts';
import { idOf } from './internal/id-of.ts';
import type { Placement, Position, Ranged } from './topology.ts';

/** A range that changes hands. */
export interface Move {
  /** Id of the owner in the first placement; undefined if it had none. */
  readonly from: string | undefined;
  /** Id of the owner in the second. */
  readonly to: string | undefined;
  /** First position, included. */
  readonly start: Position;
  /** Last position, excluded. */
  readonly end: Position;
  /** Part of the whole space, 0 to 1. */
  readonly share: number;
}

export interface Diff {
  /** Part of the space that changes hands, 0 to 1: the part of the keys to expect. */
  readonly share: number;
  /** Ascending, neighbours with the same owners joined. */
  readonly moves: readonly Move[];
}

/** The same key in two placements. */
export interface MovedKey<K> {
  readonly key: K;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/**
 * Which ranges move from whom to whom between two placements, exactly. O(ranges of both).
 *
 * @throws WeirError `ERR_WEIR_INCOMPARABLE_PLACEMENTS` if they hash differently or have no ranges (rendezvous, jump);
 * compare those key by key with `movedKeys`.
 *
 * @example
 * const { share, moves } = diff(ring, ring.with('cache-d'));
 * share; // about 1/4
 */
export function diff(a: Ranged, b: Ranged): Diff {
  if (a.space === undefined || a.space !== b.space) {
    const spaces = `${a.space ?? 'no ranges'} and ${b.space ?? 'no ranges'}`;
    throw new WeirError(
      'ERR_WEIR_INCOMPARABLE_PLACEMENTS',
      `cannot compare ranges of ${spaces}; use movedKeys`,
    );
  }
  const before = cover(a);
  const after = cover(b);
  const total = before.ends.at(-1) ?? after.ends.at(-1);
  const moves: Move[] = [];
  if (total === undefined) return { share: 0, moves };
  let start: Position = typeof total === 'bigint' ? 0n : 0;
  let share = 0;
  let last: { -readonly [member in keyof Move]: Move[member] } | undefined;
  for (let i = 0, j = 0; start < total; ) {
    const endBefore = before.ends[i] ?? total;
    const endAfter = after.ends[j] ?? total;
    // biome-ignore lint/complexity/useMathMinMax: positions may be bigints
    const end: Position = endBefore < endAfter ? endBefore : endAfter;
    const from = before.owners[i];
    const to = after.owners[j];
    if (from !== to) {
      const part = Number((end as bigint) - (start as bigint)) / Number(total);
      share += part;
      if (last?.end === start && last.from === from && last.to === to) {
        last.end = end;
        last.share += part;
      } else {
        last = { from, to, start, end, share: part };
        moves.push(last);
      }
    }
    if (endBefore === end) i += 1;
    if (endAfter === end) j += 1;
    start = end;
  }
  return { share, moves };
}

/**
 * The keys, of those given, that another node owns in the second placement. Lazy, so that any number can be looked
 * through.
 *
 * @example
 * for (const { key, from, to } of movedKeys(before, after, keys)) await copy(key, from, to);
 */
export function* movedKeys<K extends HashKey>(
  a: Placement<unknown>,
  b: Placement<unknown>,
  keys: Iterable<K>,
): Generator<MovedKey<K>, void, undefined> {
  for (const key of keys) {
    const before = a.get(key);
    const after = b.get(key);
    const from = before === undefined ? undefined : idOf(before);
    const to = after === undefined ? undefined : idOf(after);
    if (from !== to) yield { key, from, to };
  }
}

function cover(ranged: Ranged): { readonly ends: readonly Position[]; readonly owners: readonly string[] } {
  const ends: Position[] = [];
  const owners: string[] = [];
  ranged.eachRange((id, _start, end) => {
    ends.push(end);
    owners.push(id);
  });
  return { ends, owners };
}
