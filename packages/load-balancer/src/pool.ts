import {
  type Clock,
  type Component,
  callable,
  componentName,
  type Duration,
  random as defaultRandom,
  duration,
  fraction,
  InvalidOptionError,
  knownOptions,
  type Random,
  systemClock,
  text,
} from '@weir/core';
import { type HealthOptions, readHealthRules } from './health.ts';
import { bySize } from './internal/by-size.ts';
import { ServerPool } from './internal/server-pool.ts';
import { type OutlierOptions, readOutlierRules } from './outliers.ts';
import type { PoolListener } from './pool-events.ts';
import type { Sticky } from './sticky.ts';
import type { Choice, Strategy } from './strategy.ts';
import { readUpstreams, type Upstream, type UpstreamOptions } from './upstream.ts';

/** How a pool chooses and whom it leaves out. */
export interface PoolOptions {
  /** @default 'pool-<n>' */
  readonly name?: string;
  /**
   * How servers are chosen.
   *
   * @default leastConnections() up to 16 servers, leastResponseTime() with more
   */
  readonly strategy?: Strategy;
  /** Asks servers whether they are well. @default nobody asks */
  readonly health?: HealthOptions;
  /** When a server is left out because of how its requests went. False: never. @default {} */
  readonly outliers?: OutlierOptions | false;
  /**
   * How long a server that was added, came back or was resumed takes to be given its full share, from a tenth of it on.
   * 0 to 1 h; 0: at once.
   *
   * @default 0
   */
  readonly slowStart?: Duration;
  /**
   * The share of servers, of a priority or of the own zone, that must be up for it to be used. Where no priority has so
   * many, all servers are used, up or not. 0 to 1; 0: only if none is up.
   *
   * @default 0.5
   */
  readonly panicThreshold?: number;
  /** The zone that this balancer is in: its servers are preferred. @default none */
  readonly zone?: string;
  /** Keeps clients at the server they were sent to first. @default off */
  readonly sticky?: Sticky;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
}

/** What one request asks of a pool. */
export interface AcquireOptions extends Choice {
  /** Servers not to choose, by URL: those that have failed this request before. */
  readonly exclude?: readonly string[] | undefined;
  /**
   * Asked about the chosen server only, after the strategy has chosen: false makes the pool choose again without it.
   * True means that the server is handed out, so a breaker may count a permit here. Asked at most once per server.
   */
  readonly admit?: ((upstream: Upstream) => boolean) | undefined;
  /** The token of a sticky session: its server is chosen if it is up, not excluded and admitted. */
  readonly session?: string | undefined;
}

/** How a request went. */
export interface Release {
  /**
   * 'failure' if the server is to blame; 'ignore' if nobody can tell, as when the client went away.
   */
  readonly outcome: 'ok' | 'failure' | 'ignore';
  /** How long the server took to answer, ms. @default measured by the pool, where the strategy wants to know */
  readonly durationMs?: number | undefined;
}

/** One server, for one request. Give it back exactly once; later calls do nothing. */
export interface Lease extends Disposable {
  readonly upstream: Upstream;
  /**
   * Gives it back. Disposing of a lease means 'ignore'.
   *
   * @throws InvalidOptionError if the outcome is none.
   */
  release(result: Release): void;
}

/** Servers that can stand in for each other. */
export interface Pool extends Component, Disposable {
  readonly kind: 'pool';
  /** In the order in which they joined. */
  readonly upstreams: readonly Upstream[];
  readonly sticky: Sticky | undefined;
  /**
   * Chooses a server. If all that the strategy may choose from are excluded or not admitted, others that are up stand in:
   * of other zones, then of the next priorities.
   *
   * @returns undefined if there is none
   */
  acquire(options?: AcquireOptions): Lease | undefined;
  /** The token by which a client comes back to a server; undefined if the pool is not sticky. */
  session(upstream: Upstream): string | undefined;
  /**
   * Adds a server; it begins with a slow start, if the pool has one.
   *
   * @throws InvalidOptionError if it is malformed or in the pool already.
   */
  add(upstream: UpstreamOptions): Upstream;
  /** Removes a server. What it has in flight goes on. False if there is no such server. */
  remove(url: string): boolean;
  /** @throws InvalidOptionError if there is no such server, or the weight is not an integer from 0 to 65,535. */
  setWeight(url: string, weight: number): void;
  /**
   * Gives a server nothing new and waits until nothing is in flight there. It stays in the pool, draining, until it is
   * resumed or removed.
   *
   * @throws InvalidOptionError if there is no such server; DrainError if it is not drained in time, resumed, or the pool is
   *   closed; the signal's reason.
   */
  drain(url: string, options?: DrainOptions): Promise<void>;
  /** Puts a draining server back. @throws InvalidOptionError if there is no such server. */
  resume(url: string): void;
  /**
   * Calls `listener` at once with all that happens to servers: a proxy closes its connections on 'removed'.
   *
   * @returns a function that ends it
   */
  subscribe(listener: PoolListener): () => void;
  /** Ends health checks and all waiting. The pool still hands out servers, as they were last known. */
  close(): void;
}

export interface DrainOptions {
  /** How long to wait. The server goes on draining afterwards. 1 ms to 24 h. @default '5m' */
  readonly timeout?: Duration;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/**
 * Makes a pool of upstream servers. It owns timers only if it has health checks.
 *
 * @throws InvalidOptionError if a URL or an option is not valid.
 *
 * @example
 * const pool = createPool(['http://10.0.0.7:8080', { url: 'http://10.0.0.8:8080', weight: 2 }]);
 * const lease = pool.acquire();
 * // ... send the request to lease.upstream.url ...
 * lease?.release({ outcome: 'ok' });
 */
export function createPool(upstreams: readonly UpstreamOptions[], options: PoolOptions = {}): Pool {
  const names = ['name', 'strategy', 'health', 'outliers', 'slowStart', 'panicThreshold', 'zone', 'sticky'];
  knownOptions(options, [...names, 'clock', 'random'], 'createPool');
  const { strategy = bySize(), health, outliers, panicThreshold = 0.5, zone, sticky } = options;
  if (typeof strategy?.start !== 'function') {
    throw new InvalidOptionError('strategy', 'a strategy such as roundRobin()', strategy);
  }
  if (sticky !== undefined && typeof sticky?.tokensFor !== 'function') {
    throw new InvalidOptionError('sticky', 'what stickyCookie() or stickyHeader() gives', sticky);
  }
  return new ServerPool(readUpstreams(upstreams), {
    name: componentName('pool', options.name === undefined ? undefined : text(options.name, 'name')),
    strategy,
    health: health === undefined ? undefined : readHealthRules(health),
    outliers: outliers === false ? undefined : readOutlierRules(outliers),
    slowStartMs: duration(options.slowStart ?? 0, 'slowStart', { min: 0, max: 3_600_000 }),
    panicThreshold: panicThreshold === 0 ? 0 : fraction(panicThreshold, 'panicThreshold'),
    zone: zone === undefined ? undefined : text(zone, 'zone'),
    sticky,
    clock: options.clock ?? systemClock,
    random: callable(options.random ?? defaultRandom, 'random'),
  });
}
