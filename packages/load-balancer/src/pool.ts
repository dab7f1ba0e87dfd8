import {
  type Clock,
  type Component,
  channel,
  componentName,
  random as defaultRandom,
  InvalidOptionError,
  type Json,
  knownOptions,
  oneOf,
  type Random,
  type Sample,
  systemClock,
  text,
} from '@weir/core';
import { leastConnections } from './least-connections.ts';
import { note, type OutlierOptions, type OutlierRules, readOutlierRules } from './outliers.ts';
import type { Choice, Picker, Strategy } from './strategy.ts';
import { type Member, readUpstreams, type Upstream, type UpstreamOptions } from './upstream.ts';

/** How a pool chooses and whom it leaves out. */
export interface PoolOptions {
  /** @default 'pool-<n>' */
  readonly name?: string;
  /** @default leastConnections() */
  readonly strategy?: Strategy;
  /** When a server is left out because of how its requests went. */
  readonly outliers?: OutlierOptions;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
}

/** What one request asks of a pool. */
export interface AcquireOptions extends Choice {
  /** Servers not to choose, by URL: those that have failed this request before. */
  readonly exclude?: readonly string[] | undefined;
}

/** One server, for one request. Give it back exactly once; later calls do nothing. */
export interface Lease extends Disposable {
  readonly upstream: Upstream;
  /**
   * @param result how it went: 'failure' if the server is to blame, 'ignore' if nobody can tell, as when the client
   *   went away. Disposing of a lease means 'ignore'.
   */
  release(result: { readonly outcome: 'ok' | 'failure' | 'ignore'; readonly durationMs?: number }): void;
}

/** Servers that can stand in for each other. */
export interface Pool extends Component {
  readonly kind: 'pool';
  readonly upstreams: readonly Upstream[];
  /**
   * Chooses a server. When all of them are ejected, all are used again: a guess is better than refusing everything.
   *
   * @returns undefined if there is none, or none but the excluded ones
   */
  acquire(options?: AcquireOptions): Lease | undefined;
}

const ejected = channel('weir:load-balancer:ejected');
const returned = channel('weir:load-balancer:returned');
const nobody: AcquireOptions = {};

/**
 * Makes a pool of upstream servers.
 *
 * @throws InvalidOptionError if a URL or an option is not valid.
 *
 * @example
 * const pool = createPool(['http://10.0.0.7:8080', 'http://10.0.0.8:8080']);
 * const lease = pool.acquire();
 * // ... send the request to lease.upstream.url ...
 * lease?.release({ outcome: 'ok' });
 */
export function createPool(upstreams: readonly UpstreamOptions[], options: PoolOptions = {}): Pool {
  knownOptions(options, ['name', 'strategy', 'outliers', 'clock', 'random'], 'createPool');
  const { strategy = leastConnections(), clock = systemClock, random = defaultRandom } = options;
  if (typeof strategy?.start !== 'function') {
    throw new InvalidOptionError('strategy', 'a strategy such as roundRobin()', strategy);
  }
  return new ServerPool(
    componentName('pool', options.name === undefined ? undefined : text(options.name, 'name')),
    readUpstreams(upstreams),
    strategy.name,
    strategy.start({ random }),
    readOutlierRules(options.outliers),
    clock,
  );
}

class ServerPool implements Pool {
  readonly kind = 'pool';
  readonly name: string;
  readonly upstreams: readonly Member[];
  readonly #strategy: string;
  readonly #picker: Picker;
  readonly #rules: OutlierRules;
  readonly #clock: Clock;
  /** Those that may be chosen: all that are up, or all if none is. */
  #eligible: readonly Member[];
  /** When the next ejected server may return; infinite while all are up, which spares reading the clock. */
  #nextReturn = Number.POSITIVE_INFINITY;

  constructor(
    name: string,
    members: readonly Member[],
    strategy: string,
    picker: Picker,
    rules: OutlierRules,
    clock: Clock,
  ) {
    this.name = name;
    this.upstreams = members;
    this.#strategy = strategy;
    this.#picker = picker;
    this.#rules = rules;
    this.#clock = clock;
    this.#eligible = members;
  }

  acquire(options: AcquireOptions = nobody): Lease | undefined {
    if (this.#nextReturn !== Number.POSITIVE_INFINITY) this.#readmit();
    const { exclude } = options;
    const candidates =
      exclude === undefined || exclude.length === 0
        ? this.#eligible
        : this.#eligible.filter((member) => !exclude.includes(member.url));
    if (candidates.length === 0) return undefined;
    const member = candidates[this.#picker.pick(candidates, options)] as Member;
    member.inFlight += 1;
    member.picked += 1;
    return new MemberLease(this, member);
  }

  /** Takes a lease back. Called by the lease, once. */
  released(member: Member, outcome: 'ok' | 'failure' | 'ignore'): void {
    member.inFlight -= 1;
    if (outcome === 'ignore' || !note(member, outcome, this.#now(outcome), this.#rules)) return;
    this.#arrange();
    if (ejected.hasSubscribers) ejected.publish({ pool: this.name, upstream: member.url });
  }

  snapshot(): { readonly [name: string]: Json } {
    return {
      strategy: this.#strategy,
      upstreams: this.upstreams.map(({ url, state, inFlight, picked, succeeded, failed, ejections }) => ({
        url,
        state,
        inFlight,
        picked,
        succeeded,
        failed,
        ejections,
      })),
    };
  }

  metrics(): readonly Sample[] {
    return this.upstreams.flatMap((member): Sample[] => {
      const labels = { pool: this.name, upstream: member.url };
      return [
        requests({ ...labels, outcome: 'ok' }, member.succeeded),
        requests({ ...labels, outcome: 'failure' }, member.failed),
        gauge('weir_load_balancer_in_flight', 'Requests in flight.', labels, member.inFlight),
        gauge(
          'weir_load_balancer_up',
          '1 if the upstream may be chosen.',
          labels,
          member.state === 'up' ? 1 : 0,
        ),
        {
          name: 'weir_load_balancer_ejections_total',
          help: 'Times the upstream was left out for failing.',
          type: 'counter',
          labels,
          value: member.ejections,
        },
      ];
    });
  }

  /** A success needs no time; a failure may start an ejection. */
  #now(outcome: 'ok' | 'failure'): number {
    return outcome === 'failure' ? this.#clock.now() : 0;
  }

  #readmit(): void {
    const now = this.#clock.now();
    if (now < this.#nextReturn) return;
    for (const member of this.upstreams) {
      if (member.state !== 'ejected' || member.returnsAt > now) continue;
      member.state = 'up';
      if (returned.hasSubscribers) returned.publish({ pool: this.name, upstream: member.url });
    }
    this.#arrange();
  }

  #arrange(): void {
    const up = this.upstreams.filter((member) => member.state === 'up');
    this.#eligible = up.length > 0 ? up : this.upstreams;
    this.#nextReturn = Math.min(
      ...this.upstreams.filter((member) => member.state === 'ejected').map((member) => member.returnsAt),
    );
  }
}

class MemberLease implements Lease {
  readonly upstream: Member;
  readonly #pool: ServerPool;
  #released = false;

  constructor(pool: ServerPool, member: Member) {
    this.#pool = pool;
    this.upstream = member;
  }

  release({ outcome }: { readonly outcome: 'ok' | 'failure' | 'ignore' }): void {
    if (this.#released) return;
    oneOf(outcome, 'outcome', ['ok', 'failure', 'ignore']);
    this.#released = true;
    this.#pool.released(this.upstream, outcome);
  }

  [Symbol.dispose](): void {
    this.release({ outcome: 'ignore' });
  }
}

function requests(labels: Sample['labels'], value: number): Sample {
  const help = 'Requests whose outcome was told, by outcome.';
  return { name: 'weir_load_balancer_requests_total', help, type: 'counter', labels, value };
}

function gauge(name: string, help: string, labels: Sample['labels'], value: number): Sample {
  return { name, help, type: 'gauge', labels, value };
}
