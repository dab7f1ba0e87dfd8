import { duration, InvalidOptionError, type Json, knownOptions, type Random, type Sample } from '@weir/core';
import { DrainError } from '../errors.ts';
import type { HealthRules } from '../health.ts';
import type { AcquireOptions, DrainOptions, Lease, Pool, Release } from '../pool.ts';
import type { PoolListener } from '../pool-events.ts';
import type { Sticky } from '../sticky.ts';
import type { Picker, Strategy } from '../strategy.ts';
import {
  originOf,
  readUpstream,
  readWeight,
  type Upstream,
  type UpstreamOptions,
  type UpstreamSettings,
} from '../upstream.ts';
import { Announcer } from './announcer.ts';
import { Drains } from './drains.ts';
import { HealthChecks } from './health-checks.ts';
import { type Lender, MemberLease } from './lease.ts';
import { Member } from './member.ts';
import { observe } from './peak-ewma.ts';
import { Roster, type RosterSettings } from './roster.ts';
import { memberSamples, poolSamples, shown } from './samples.ts';
import { Sessions } from './sessions.ts';

/** A pool's settings, read. */
export interface PoolSettings extends RosterSettings {
  readonly name: string;
  readonly strategy: Strategy;
  readonly health: HealthRules | undefined;
  readonly sticky: Sticky | undefined;
  readonly random: Random;
}

const nobody: AcquireOptions = {};
/** In place of the time when a lease began, where nobody wants to know. */
const untimed = -1;

export class ServerPool implements Pool, Lender {
  readonly kind = 'pool';
  readonly name: string;
  readonly actions: NonNullable<Pool['actions']>;
  readonly #settings: PoolSettings;
  readonly #roster: Roster;
  readonly #picker: Picker;
  readonly #announcer: Announcer;
  readonly #checks: HealthChecks | undefined;
  readonly #sessions: Sessions | undefined;
  readonly #drains = new Drains();
  /** Whether the picker wants to be told of changes of in-flight counts. */
  readonly #tracked: boolean;
  /** The roster's, here for speed. */
  #eligible: readonly Member[] = [];
  /** Of the picker; 0 if response times are of no interest. */
  #decayMs = 0;
  /** Whether the pool itself holds back servers in slow start. */
  #holdsBack = false;
  /** Whether nothing is due and no response times are wanted, which spares reading the clock. */
  #quiet = true;
  /** Outcomes until success rates are reviewed. */
  #untilReview = 0;
  #refused = 0;

  constructor(upstreams: readonly UpstreamSettings[], settings: PoolSettings) {
    const { name, strategy, health, sticky, random } = settings;
    this.name = name;
    this.#settings = settings;
    this.#picker = strategy.start({ random });
    this.#tracked = this.#picker.loaded !== undefined;
    this.#announcer = new Announcer(name);
    this.#roster = new Roster(settings, this.#announcer, () => this.#arranged());
    this.#sessions = sticky === undefined ? undefined : new Sessions(sticky);
    this.#checks =
      health === undefined
        ? undefined
        : new HealthChecks(health, random, (member) => this.#roster.judged(member));
    this.#roster.begin(upstreams.map((upstream) => this.#join(upstream)));
    this.#untilReview = this.#roster.outcomesPerReview;
    this.actions = {
      drain: (url) => this.#startDrain(this.#known(url)),
      resume: (url) => this.resume(url as string),
      remove: (url) => this.#leave(this.#known(url)),
      setWeight: (argument) => {
        const { url, weight } = (argument ?? {}) as { url?: unknown; weight?: unknown };
        this.setWeight(url as string, weight as number);
      },
    };
  }

  get upstreams(): readonly Upstream[] {
    this.#catchUp();
    return this.#roster.members;
  }

  get sticky(): Sticky | undefined {
    return this.#settings.sticky;
  }

  acquire(options: AcquireOptions = nobody): Lease | undefined {
    const now = this.#quiet ? untimed : this.#look();
    const { exclude, admit, session } = options;
    const eligible = this.#eligible;
    let member: Member | undefined;
    if (exclude !== undefined || admit !== undefined || session !== undefined || this.#holdsBack) {
      member = this.#choose(options, now);
    } else if (eligible.length > 0) member = eligible[this.#picker.pick(options, undefined, now)];
    if (member === undefined) {
      this.#refused += 1;
      return undefined;
    }
    member.inFlight += 1;
    if (this.#tracked && member.seat !== -1) this.#picker.loaded!(member.seat, 1);
    return new MemberLease(this, member, now);
  }

  /** Reads the clock, and does what has become due. */
  #look(): number {
    const now = this.#settings.clock.now();
    if (now >= this.#roster.due) this.#roster.wake(now);
    return now;
  }

  /** Before somebody looks at states. */
  #catchUp(): void {
    if (!this.#quiet) this.#look();
  }

  /** The long way: with servers that must not be chosen, or may turn out to be the wrong ones. */
  #choose(options: AcquireOptions, now: number): Member | undefined {
    const { exclude = [], admit, session } = options;
    const out = new Set<Upstream>();
    if (exclude.length > 0)
      for (const each of this.#roster.members) if (exclude.includes(each.url)) out.add(each);
    const take = (member: Member): boolean => {
      out.add(member);
      return admit === undefined || admit(member);
    };
    const at = session === undefined ? undefined : this.#sessions?.find(session);
    if (at?.state === 'up' && at.weight > 0 && !out.has(at) && take(at)) return at;
    const heldBack: Member[] = [];
    while (this.#eligible.length > 0) {
      const accept = out.size === 0 ? undefined : (upstream: Upstream): boolean => !out.has(upstream);
      const member = this.#eligible[this.#picker.pick(options, accept, now)];
      if (member === undefined) break;
      if (this.#holdsBack && member.ramp < 1 && this.#settings.random() >= member.ramp) {
        out.add(member);
        heldBack.push(member);
      } else if (take(member)) return member;
    }
    // Nobody else would have it.
    return heldBack.find(take) ?? this.#roster.spare.filter((member) => !out.has(member)).find(take);
  }

  released(member: Member, { outcome, durationMs }: Release, startedAt: number): void {
    member.inFlight -= 1;
    if (this.#tracked && member.seat !== -1) this.#picker.loaded!(member.seat, -1);
    if (outcome === 'ok') {
      member.succeeded += 1;
      member.failuresInARow = 0;
    } else if (outcome === 'failure') this.#roster.failed(member);
    else member.ignored += 1;
    if (outcome !== 'ignore') {
      if (startedAt !== untimed) this.#measure(member, outcome, durationMs, startedAt);
      this.#untilReview -= 1;
      if (this.#untilReview === 0) this.#review();
    }
    if (member.draining && member.inFlight === 0) this.#drained(member);
  }

  #measure(member: Member, outcome: string, durationMs: number | undefined, startedAt: number): void {
    if (this.#decayMs === 0) return;
    const ms = durationMs ?? this.#settings.clock.now() - startedAt;
    if (ms >= 0) observe(member, ms, outcome === 'failure', startedAt + ms, this.#decayMs);
  }

  #review(): void {
    this.#roster.review();
    this.#untilReview = this.#roster.outcomesPerReview;
  }

  /** It has been worked out anew who may be chosen. */
  #arranged(): void {
    const { eligible, members, due } = this.#roster;
    this.#eligible = eligible;
    this.#picker.update(eligible, members);
    this.#decayMs = this.#picker.latencyDecayMs ?? 0;
    this.#holdsBack = this.#picker.ramps !== true && eligible.some(({ ramp }) => ramp < 1);
    this.#quiet = this.#decayMs === 0 && due === Number.POSITIVE_INFINITY;
  }

  session(upstream: Upstream): string | undefined {
    return this.#sessions?.tokenOf(upstream as Member);
  }

  add(upstream: UpstreamOptions): Upstream {
    const settings = readUpstream(upstream);
    if (this.#find(settings.url) !== undefined) {
      throw new InvalidOptionError('upstream', 'one that is not in the pool yet', settings.url);
    }
    const member = this.#join(settings);
    this.#roster.add(member);
    this.#untilReview = this.#roster.outcomesPerReview;
    return member;
  }

  #join(settings: UpstreamSettings): Member {
    const member = new Member(settings);
    member.down = this.#settings.health?.initiallyDown ?? false;
    this.#sessions?.add(member);
    this.#checks?.watch(member);
    return member;
  }

  remove(url: string): boolean {
    const member = this.#find(url);
    if (member !== undefined) this.#leave(member);
    return member !== undefined;
  }

  #leave(member: Member): void {
    this.#checks?.forget(member);
    this.#sessions?.remove(member);
    this.#roster.remove(member);
    this.#untilReview = this.#roster.outcomesPerReview;
  }

  setWeight(url: string, weight: number): void {
    this.#known(url).weight = readWeight(weight);
    this.#roster.arrange();
  }

  async drain(url: string, options: DrainOptions = {}): Promise<void> {
    knownOptions(options, ['timeout', 'signal'], 'drain');
    const timeoutMs = duration(options.timeout ?? '5m', 'timeout', { min: 1, max: 86_400_000 });
    const member = this.#known(url);
    this.#startDrain(member);
    await this.#drains.wait(member, timeoutMs, options.signal);
  }

  #startDrain(member: Member): void {
    if (this.#roster.drain(member) && member.inFlight === 0) this.#drained(member);
  }

  #drained(member: Member): void {
    this.#drains.settle(member);
    this.#announcer.tell('drained', member);
  }

  resume(url: string): void {
    const member = this.#known(url);
    if (!this.#roster.resume(member)) return;
    this.#drains.settle(member, new DrainError('ERR_WEIR_DRAIN_RESUMED', member.url));
  }

  subscribe(listener: PoolListener): () => void {
    return this.#announcer.subscribe(listener);
  }

  snapshot(): { readonly [name: string]: Json } {
    const { strategy, zone = null, panicThreshold, slowStartMs, sticky } = this.#settings;
    const now = this.#look();
    return {
      strategy: strategy.name,
      zone,
      panic: this.#roster.panic,
      panicThreshold,
      slowStartMs,
      sticky: sticky !== undefined,
      refused: this.#refused,
      upstreams: this.#roster.members.map((member) => shown(member, now)),
    };
  }

  metrics(): readonly Sample[] {
    this.#catchUp();
    return [
      ...poolSamples(this.name, this.#refused, this.#roster.panic),
      ...this.#roster.members.flatMap((member) => memberSamples(this.name, member)),
    ];
  }

  close(): void {
    this.#checks?.close();
    this.#drains.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @throws InvalidOptionError if there is no such server. */
  #known(url: unknown): Member {
    const member = this.#find(url);
    if (member === undefined) throw new InvalidOptionError('url', 'that of a server of the pool', url);
    return member;
  }

  #find(url: unknown): Member | undefined {
    const origin = originOf(url);
    return this.#roster.members.find((member) => member.url === origin);
  }
}
