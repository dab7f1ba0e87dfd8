import { type Duration, duration, integer, knownOptions } from '@weir/core';
import type { Member } from './upstream.ts';

/** When a server is left out because of how its requests went. */
export interface OutlierOptions {
  /** Failures in a row that eject a server. Integer, 1 to 1000. @default 5 */
  readonly consecutiveFailures?: number;
  /** For how long, at first; doubled with each ejection in a row, up to ten times as long. 1 ms to 1 h. @default '10s' */
  readonly ejectFor?: Duration;
}

export interface OutlierRules {
  readonly consecutiveFailures: number;
  readonly ejectForMs: number;
}

/** @throws InvalidOptionError if an option is unknown or out of range. */
export function readOutlierRules(options: OutlierOptions = {}): OutlierRules {
  knownOptions(options, ['consecutiveFailures', 'ejectFor'], 'createPool `outliers`');
  return {
    consecutiveFailures: integer(options.consecutiveFailures ?? 5, 'outliers.consecutiveFailures', 1, 1000),
    ejectForMs: duration(options.ejectFor ?? '10s', 'outliers.ejectFor', { min: 1, max: 3_600_000 }),
  };
}

/** Notes how a request went. True if the server changed between up and ejected. */
export function note(member: Member, outcome: 'ok' | 'failure', now: number, rules: OutlierRules): boolean {
  if (outcome === 'ok') {
    member.succeeded += 1;
    member.failuresInARow = 0;
    member.ejectionsInARow = 0;
    return false;
  }
  member.failed += 1;
  member.failuresInARow += 1;
  if (member.state === 'ejected' || member.failuresInARow < rules.consecutiveFailures) return false;
  const times = Math.min(2 ** member.ejectionsInARow, 10);
  member.state = 'ejected';
  member.returnsAt = now + rules.ejectForMs * times;
  member.ejections += 1;
  member.ejectionsInARow += 1;
  return true;
}
