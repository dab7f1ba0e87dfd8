import type { Clock } from '@weir/core';
import { eject, mayEject, type OutlierRules, review } from '../outliers.ts';
import type { PoolEventType } from '../pool-events.ts';
import type { Announcer } from './announcer.ts';
import { eligibleOf } from './eligible.ts';
import type { Member } from './member.ts';
import { nextRampChange, rampAt } from './slow-start.ts';

export interface RosterSettings {
  readonly outliers: OutlierRules | undefined;
  readonly slowStartMs: number;
  readonly panicThreshold: number;
  readonly zone: string | undefined;
  readonly clock: Clock;
}

const never = Number.POSITIVE_INFINITY;

/** Who is in a pool, in which state, and who of them may be chosen. Has no timers: `wake` does what has become due. */
export class Roster {
  members: readonly Member[] = [];
  /** Those that may be chosen, and those that stand in for them. */
  eligible: readonly Member[] = [];
  spare: readonly Member[] = [];
  panic = false;
  /** When the next ejection or step of a slow start ends; infinite while there is none. */
  due: number = never;
  readonly #settings: RosterSettings;
  readonly #announcer: Announcer;
  readonly #arranged: () => void;

  /** @param arranged called when it has been worked out anew who may be chosen, before anybody is told why */
  constructor(settings: RosterSettings, announcer: Announcer, arranged: () => void) {
    this.#settings = settings;
    this.#announcer = announcer;
    this.#arranged = arranged;
  }

  /** The servers that a pool begins with: they start at once, and nobody is told. */
  begin(members: readonly Member[]): void {
    this.members = members;
    this.arrange();
  }

  add(member: Member): void {
    this.members = [...this.members, member];
    this.#slowStart(member);
    this.#changed('added', member);
  }

  remove(member: Member): void {
    this.members = this.members.filter((each) => each !== member);
    // Whatever is still in flight there ends as if it drained.
    member.draining = true;
    member.seat = -1;
    this.#changed('removed', member);
  }

  /** @returns whether it did not drain before */
  drain(member: Member): boolean {
    if (member.draining) return false;
    member.draining = true;
    this.#changed('draining', member);
    return true;
  }

  /** @returns whether it drained before */
  resume(member: Member): boolean {
    if (!member.draining) return false;
    member.draining = false;
    this.#slowStart(member);
    this.#changed('resumed', member);
    return true;
  }

  /** Active checks have turned. */
  judged(member: Member): void {
    if (!member.down) this.#slowStart(member);
    this.#changed(member.down ? 'down' : 'up', member);
  }

  /** Counts a failed request. */
  failed(member: Member): void {
    member.failed += 1;
    member.failuresInARow += 1;
    const { outliers } = this.#settings;
    if (outliers !== undefined && member.failuresInARow >= outliers.consecutiveFailures) {
      this.#eject(member, outliers);
    }
  }

  /** After how many outcomes success rates are to be reviewed; 0 if never. */
  get outcomesPerReview(): number {
    return this.members.length * (this.#settings.outliers?.successRate?.minimumRequests ?? 0);
  }

  review(): void {
    const { outliers } = this.#settings;
    if (outliers?.successRate === undefined) return;
    for (const member of review(this.members, outliers.successRate)) this.#eject(member, outliers);
  }

  #eject(member: Member, rules: OutlierRules): void {
    if (member.ejected || member.draining) return;
    const { length } = this.members.filter(({ ejected }) => ejected);
    if (!mayEject(length, this.members.length, rules)) return;
    eject(member, this.#settings.clock.now(), rules);
    this.#changed('ejected', member);
  }

  /** Ends ejections, and takes slow starts a step further. */
  wake(now: number): void {
    const returned = this.members.filter((member) => member.ejected && member.returnsAt <= now);
    for (const member of returned) {
      member.ejected = false;
      this.#slowStart(member);
    }
    for (const member of this.members) if (member.rampDue <= now) this.#ramp(member, now);
    this.arrange();
    for (const member of returned) this.#announcer.tell('returned', member);
  }

  #slowStart(member: Member): void {
    const { slowStartMs, clock } = this.#settings;
    if (slowStartMs === 0) return;
    member.rampSince = clock.now();
    this.#ramp(member, member.rampSince);
  }

  #ramp(member: Member, now: number): void {
    const { slowStartMs } = this.#settings;
    const elapsed = now - member.rampSince;
    member.ramp = rampAt(elapsed, slowStartMs);
    member.rampDue = member.ramp < 1 ? member.rampSince + nextRampChange(elapsed, slowStartMs) : never;
  }

  #changed(type: PoolEventType, member: Member): void {
    this.arrange();
    this.#announcer.tell(type, member);
  }

  /** Works out who may be chosen. To be called after every change of a server's state or weight. O(n). */
  arrange(): void {
    const { zone, panicThreshold } = this.#settings;
    const { members, spare, panic } = eligibleOf(this.members, zone, panicThreshold);
    for (const member of this.members) member.seat = -1;
    for (let seat = 0; seat < members.length; seat += 1) members[seat]!.seat = seat;
    this.eligible = members;
    this.spare = spare;
    this.due = this.members.reduce(
      (due, { ejected, returnsAt, rampDue }) => Math.min(due, ejected ? returnsAt : never, rampDue),
      never,
    );
    const turned = panic !== this.panic;
    this.panic = panic;
    this.#arranged();
    if (turned) this.#announcer.panic(panic);
  }
}
