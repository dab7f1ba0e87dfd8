import { lookup } from 'node:dns/promises';
import {
  type Channel,
  type Component,
  callable,
  channel,
  componentName,
  type Duration,
  random as defaultRandom,
  duration,
  fraction,
  InvalidOptionError,
  type Json,
  knownOptions,
  type Random,
  type Sample,
  text,
} from '@weir/core';
import { after } from './internal/after.ts';
import { attempt } from './internal/attempt.ts';
import type { Pool } from './pool.ts';
import { readUpstream, type UpstreamOptions } from './upstream.ts';

/** Finds the addresses of a name, IPv4 and IPv6. `signal` aborts when the time is up. */
export type Resolve = (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;

export interface DnsDiscoveryOptions {
  /** The servers' origin, with the name that is looked up, such as `http://api.internal:8080`. */
  readonly url: string;
  /** Settings that each server found is added with. @default none */
  readonly upstream?: Omit<Exclude<UpstreamOptions, string>, 'url' | 'hostname'>;
  /** From one look-up to the next. 100 ms to 24 h. @default '30s' */
  readonly interval?: Duration;
  /** By how much that is made longer or shorter at random, as a share. 0 to 1. @default 0.2 */
  readonly jitter?: number;
  /** How long a look-up may take. 1 ms to 10 min. @default '5s' */
  readonly timeout?: Duration;
  /** What looks names up. @default the system's resolver, which knows the hosts file and search domains */
  readonly resolve?: Resolve;
  /** Name of the component. @default 'discovery-<n>' */
  readonly name?: string;
  /** @default Math.random */
  readonly random?: Random;
}

/** Keeps a pool in step with a name. */
export interface DnsDiscovery extends Component, Disposable {
  readonly kind: 'discovery';
  /**
   * Looks the name up now, or waits for the look-up that is under way; the pool has been changed when the promise is
   * fulfilled. Rejected with the resolver's error.
   */
  refresh(): Promise<void>;
  /** Ends look-ups. The pool keeps its servers. */
  close(): void;
}

const failures: Channel = channel('weir:load-balancer:discovery-failed');

/**
 * Looks a name up now and again, and adds a server to the pool for each address (A and AAAA) that has appeared and
 * removes those whose address has gone; what these have in flight goes on. While the name cannot be resolved, or has no
 * address, the pool stays as it is. Servers that were added otherwise are not touched. The name is kept as each server's
 * `hostname`. One unref'd timer.
 *
 * @throws InvalidOptionError if an option is missing, unknown or out of range.
 *
 * @example
 * const pool = createPool([]);
 * const discovery = dnsDiscovery(pool, { url: 'http://api.internal:8080', interval: '10s' });
 * await discovery.refresh();
 */
export function dnsDiscovery(pool: Pool, options: DnsDiscoveryOptions): DnsDiscovery {
  const names = ['url', 'upstream', 'interval', 'jitter', 'timeout', 'resolve', 'name', 'random'];
  knownOptions(options, names, 'dnsDiscovery');
  const { jitter = 0.2, upstream = {} } = options;
  if ('url' in upstream || 'hostname' in upstream) {
    throw new InvalidOptionError('upstream', 'without url and hostname: these are what is found', upstream);
  }
  const { url } = readUpstream({ ...upstream, url: options.url });
  return new Discovery(pool, {
    name: componentName('discovery', options.name === undefined ? undefined : text(options.name, 'name')),
    url: new URL(url),
    upstream: { ...upstream },
    intervalMs: duration(options.interval ?? '30s', 'interval', { min: 100, max: 86_400_000 }),
    jitter: jitter === 0 ? 0 : fraction(jitter, 'jitter'),
    timeoutMs: duration(options.timeout ?? '5s', 'timeout', { min: 1, max: 600_000 }),
    resolve: callable(options.resolve ?? systemResolve, 'resolve'),
    random: callable(options.random ?? defaultRandom, 'random'),
  });
}

interface Settings {
  readonly name: string;
  readonly url: URL;
  readonly upstream: NonNullable<DnsDiscoveryOptions['upstream']>;
  readonly intervalMs: number;
  readonly jitter: number;
  readonly timeoutMs: number;
  readonly resolve: Resolve;
  readonly random: Random;
}

class Discovery implements DnsDiscovery {
  readonly kind = 'discovery';
  readonly name: string;
  readonly actions: NonNullable<DnsDiscovery['actions']>;
  readonly #pool: Pool;
  readonly #settings: Settings;
  /** URLs of the servers that this has added. */
  #found: ReadonlySet<string> = new Set();
  #underWay: Promise<void> | undefined;
  /** Ends what is under way: the wait or the look-up. */
  #cancel: () => void = () => {};
  #closed = false;
  #lookups = 0;
  #failures = 0;
  #error = '';

  constructor(pool: Pool, settings: Settings) {
    this.name = settings.name;
    this.actions = { refresh: () => this.refresh() };
    this.#pool = pool;
    this.#settings = settings;
    this.#refreshInBackground();
  }

  refresh(): Promise<void> {
    this.#underWay ??= this.#look().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  #refreshInBackground(): void {
    // It is in the snapshot, the metrics and on the channel.
    this.refresh().catch(() => {});
  }

  async #look(): Promise<void> {
    const { url, resolve, timeoutMs, intervalMs, jitter, random } = this.#settings;
    const name = url.hostname.replace(/^\[(.*)\]$/, '$1');
    this.#cancel();
    this.#lookups += 1;
    const { result, cancel } = attempt(timeoutMs, (signal) => resolve(name, signal));
    this.#cancel = cancel;
    try {
      const addresses = await result;
      if (this.#closed) return;
      if (addresses.length === 0) throw new Error(`${url.hostname} has no address`);
      this.#apply(addresses);
      this.#error = '';
    } catch (error) {
      this.#failures += 1;
      this.#error = error instanceof Error ? error.message : String(error);
      if (failures.hasSubscribers) {
        failures.publish({ pool: this.#pool.name, hostname: url.hostname, error });
      }
      throw error;
    } finally {
      const wait = intervalMs * (1 + jitter * (2 * random() - 1));
      if (!this.#closed) this.#cancel = after(wait, () => this.#refreshInBackground());
    }
  }

  #apply(addresses: readonly string[]): void {
    const { url, upstream } = this.#settings;
    const wanted = new Set(addresses.map((address) => originAt(url, address)));
    const present = new Set(this.#pool.upstreams.map((each) => each.url));
    const added = [...wanted].filter((each) => !present.has(each));
    for (const each of added) this.#pool.add({ ...upstream, url: each, hostname: url.hostname });
    // Only now, so that the pool is never empty in between.
    for (const each of this.#found) if (!wanted.has(each)) this.#pool.remove(each);
    this.#found = new Set([...wanted].filter((each) => this.#found.has(each) || added.includes(each)));
  }

  snapshot(): { readonly [name: string]: Json } {
    return {
      pool: this.#pool.name,
      url: this.#settings.url.origin,
      found: [...this.#found],
      lookups: this.#lookups,
      failures: this.#failures,
      error: this.#error,
    };
  }

  metrics(): readonly Sample[] {
    const labels = { discovery: this.name, pool: this.#pool.name };
    const sample = (what: string, help: string, type: 'counter' | 'gauge', value: number): Sample => ({
      name: `weir_load_balancer_discovery_${what}`,
      help,
      type,
      labels,
      value,
    });
    return [
      sample('lookups_total', 'Look-ups of the name.', 'counter', this.#lookups),
      sample('failures_total', 'Look-ups that failed or found nothing.', 'counter', this.#failures),
      sample('found', 'Servers in the pool that were found.', 'gauge', this.#found.size),
    ];
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function originAt({ protocol, port }: URL, address: string): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return new URL(`${protocol}//${host}${port === '' ? '' : `:${port}`}`).origin;
}

async function systemResolve(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}
