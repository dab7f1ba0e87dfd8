import { type Duration, duration, fraction, integer, knownOptions } from '@weir/core';
import type { Member } from './internal/member.ts';

/** When a server is left out because of how its requests went. */
export interface OutlierOptions {
  /** Failures in a row that eject a server. Integer, 1 to 1000. @default 5 */
  readonly consecutiveFailures?: number;
  /** Ejects a server that fails more often than the others. False: never. @default {} */
  readonly successRate?: SuccessRateOptions | false;
  /**
   * For how long, at first. Doubled each time the server is ejected again within as long as it was out. 1 ms to 1 h.
   *
   * @default '10s'
   */
  readonly ejectFor?: Duration;
  /** For how long at most. `ejectFor` to 24 h. @default '5m', or `ejectFor` if that is longer */
  readonly maxEjectFor?: Duration;
  /** Share of the servers that may be ejected at a time; one always may. Above 0, up to 1. @default 0.5 */
  readonly maxEjected?: number;
}

/**
 * Servers are compared each time the pool has counted `minimumRequests` outcomes for each of them on average. One is
 * ejected if its success rate lies more than `deviations` standard deviations below the mean of all, by more than 0.05, and
 * by more than chance brings about with as many requests (three standard errors): by the first alone, there would always
 * be one among servers that are alike.
 */
export interface SuccessRateOptions {
  /** Outcomes that a server needs to be compared. Integer, 1 to 1,000,000. @default 100 */
  readonly minimumRequests?: number;
  /** How many such servers make a comparison; among fewer than 5, none can lie 1.9 deviations off. Integer, 2 to 1000. @default 5 */
  readonly minimumServers?: number;
  /** Above 0, up to 10. @default 1.9 */
  readonly deviations?: number;
}

export interface OutlierRules {
  readonly consecutiveFailures: number;
  readonly successRate: Required<SuccessRateOptions> | undefined;
  readonly ejectForMs: number;
  readonly maxEjectForMs: number;
  readonly maxEjected: number;
}

/** What lies closer to the mean is no outlier, nor what lies closer than so many standard errors. */
const leastGap = 0.05;
const leastErrors = 3;

/** @throws InvalidOptionError if an option is unknown or out of range. */
export function readOutlierRules(options: OutlierOptions = {}): OutlierRules {
  const names = ['consecutiveFailures', 'successRate', 'ejectFor', 'maxEjectFor', 'maxEjected'];
  knownOptions(options, names, 'createPool `outliers`');
  const ejectForMs = duration(options.ejectFor ?? '10s', 'outliers.ejectFor', { min: 1, max: 3_600_000 });
  return {
    consecutiveFailures: integer(options.consecutiveFailures ?? 5, 'outliers.consecutiveFailures', 1, 1000),
    successRate: readSuccessRate(options.successRate ?? {}),
    ejectForMs,
    maxEjectForMs: duration(options.maxEjectFor ?? Math.max(300_000, ejectForMs), 'outliers.maxEjectFor', {
      min: ejectForMs,
      max: 86_400_000,
    }),
    maxEjected: fraction(options.maxEjected ?? 0.5, 'outliers.maxEjected'),
  };
}

function readSuccessRate(options: SuccessRateOptions | false): Required<SuccessRateOptions> | undefined {
  if (options === false) return undefined;
  const names = ['minimumRequests', 'minimumServers', 'deviations'];
  knownOptions(options, names, 'createPool `outliers.successRate`');
  const { minimumRequests = 100, minimumServers = 5, deviations = 1.9 } = options;
  return {
    minimumRequests: integer(minimumRequests, 'outliers.successRate.minimumRequests', 1, 1_000_000),
    minimumServers: integer(minimumServers, 'outliers.successRate.minimumServers', 2, 1000),
    deviations: fraction(deviations, 'outliers.successRate.deviations', 0, 10),
  };
}

/** Whether one more of `servers` may be ejected. */
export function mayEject(ejected: number, servers: number, { maxEjected }: OutlierRules): boolean {
  return ejected < Math.max(1, Math.floor(servers * maxEjected));
}

/** Ejects a server: for longer each time it comes back and fails again soon. */
export function eject(member: Member, now: number, { ejectForMs, maxEjectForMs }: OutlierRules): void {
  const again = member.ejectedFor > 0 && now - member.returnsAt <= member.ejectedFor;
  member.ejectedFor = again ? Math.min(2 * member.ejectedFor, maxEjectForMs) : ejectForMs;
  member.returnsAt = now + member.ejectedFor;
  member.ejected = true;
  member.ejections += 1;
}

/**
 * Compares success rates since the last review, and begins the next one.
 *
 * @returns those to be ejected, the worst first
 */
export function review(members: readonly Member[], rules: Required<SuccessRateOptions>): Member[] {
  const rated = members.flatMap((member) => {
    const succeeded = member.succeeded - member.reviewedOk;
    const total = succeeded + member.failed - member.reviewedFailures;
    member.reviewedOk = member.succeeded;
    member.reviewedFailures = member.failed;
    return total >= rules.minimumRequests ? [{ member, total, rate: succeeded / total }] : [];
  });
  if (rated.length < rules.minimumServers) return [];
  const mean = rated.reduce((sum, { rate }) => sum + rate, 0) / rated.length;
  const variance = rated.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rated.length;
  const gap = Math.max(rules.deviations * Math.sqrt(variance), leastGap);
  const chance = (total: number): number => leastErrors * Math.sqrt((mean * (1 - mean)) / total);
  return rated
    .filter(({ rate, total }) => mean - rate > Math.max(gap, chance(total)))
    .toSorted((a, b) => a.rate - b.rate)
    .map(({ member }) => member);
}
