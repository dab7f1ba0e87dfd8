import type { Member } from './member.ts';

/** Who may be chosen. */
export interface Eligible {
  /** Those that the strategy chooses from. */
  readonly members: readonly Member[];
  /** Others that are up, in the order in which they stand in: for when all of the former are refused. */
  readonly spare: readonly Member[];
  /** Whether so few are up that all are used, up or not. */
  readonly panic: boolean;
}

/**
 * The servers of the first priority of which at least `threshold` are up; of these those of the own zone, if at least
 * `threshold` of them are up. If no priority has that many, all servers of all priorities: more likely the checks are
 * wrong than most servers dead, and if they are not, the few that are left would not bear the load alone.
 *
 * Those that drain, or weigh nothing, do not count at all.
 */
export function eligibleOf(
  members: readonly Member[],
  zone: string | undefined,
  threshold: number,
): Eligible {
  const usable = members.filter((member) => !member.draining && member.weight > 0);
  const priorities = [...new Set(usable.map(({ priority }) => priority))].toSorted((a, b) => a - b);
  for (const priority of priorities) {
    const up = enoughOf(
      usable.filter((member) => member.priority === priority),
      threshold,
    );
    if (up === undefined) continue;
    const near =
      zone === undefined
        ? undefined
        : enoughOf(
            usable.filter((member) => member.priority === priority && member.zone === zone),
            threshold,
          );
    const chosen = new Set(near ?? up);
    const spare = usable
      .filter((member) => member.state === 'up' && !chosen.has(member))
      .toSorted((a, b) => a.priority - b.priority);
    return { members: [...chosen], spare, panic: false };
  }
  return { members: usable, spare: [], panic: usable.length > 0 };
}

/** Those that are up, if they are enough. */
function enoughOf(members: readonly Member[], threshold: number): readonly Member[] | undefined {
  const up = members.filter(({ state }) => state === 'up');
  return up.length > 0 && up.length >= threshold * members.length ? up : undefined;
}
