import type { Arcs } from '../topology.ts';

/** Where the first range starts. */
export function origin(arcs: Arcs): number | bigint {
  return typeof arcs.positions === 'bigint' ? 0n : 0;
}

/**
 * The arcs of a ring whose points, ascending, end at `ends` (excluded): what lies behind the last point belongs to
 * the first one. Both lists are kept and completed.
 */
export function ringArcs<P extends number | bigint>(
  space: string,
  positions: P,
  ends: P[],
  owners: (string | undefined)[],
): Arcs {
  if (ends.at(-1) !== positions) {
    ends.push(positions);
    owners.push(owners[0]);
  }
  return { space, positions, ends, owners };
}
