import { InvalidOptionError, integer, knownOptions, text } from '@weir/core';

/** A server as the user names it: the URL of its origin, or that with settings. */
export type UpstreamOptions =
  | string
  | {
      /** URL of its origin, http or https, such as `http://10.0.0.7:8080`: no path, no credentials. */
      readonly url: string;
      /** Its share of the requests relative to the others. Integer, 0 to 65,535; 0 takes no new requests. @default 1 */
      readonly weight?: number | undefined;
      /** Where it stands, for pools that prefer servers near by. @default none */
      readonly zone?: string | undefined;
      /** Servers of a higher number wait until those of the lower ones fail. Integer, 0 to 127. @default 0 */
      readonly priority?: number | undefined;
      /** The name behind `url`, where that holds an address: for TLS and for the Host header. @default that of `url` */
      readonly hostname?: string | undefined;
    };

/**
 * What a server is doing:
 * - `up`: may be chosen;
 * - `ejected`: its requests failed; left out for a while;
 * - `down`: its health checks fail;
 * - `draining`: finishes what it has, and is given nothing new.
 */
export type UpstreamState = 'up' | 'ejected' | 'down' | 'draining';

/** A server of a pool. The object stays the same for as long as the server is in the pool, so a WeakMap may hang on it. */
export interface Upstream {
  /** Its origin, such as `http://10.0.0.7:8080`; no path, no trailing slash. Unique in its pool: it serves as an id. */
  readonly url: string;
  readonly hostname: string | undefined;
  readonly zone: string | undefined;
  readonly priority: number;
  /** As set. */
  readonly weight: number;
  /** The weight as it counts now: less than `weight` during a slow start. */
  readonly effectiveWeight: number;
  /** Leases handed out and not yet released. */
  readonly inFlight: number;
  readonly state: UpstreamState;
  /** How long it takes to answer: a peak EWMA in ms, kept where the strategy asks for it; 0 until it is known. */
  readonly latencyMs: number;
  /** When `latencyMs` was brought up to date, on the pool's clock. */
  readonly latencyAt: number;
}

/** An upstream's settings, read. */
export interface UpstreamSettings {
  readonly url: string;
  readonly weight: number;
  readonly zone: string | undefined;
  readonly priority: number;
  readonly hostname: string | undefined;
}

/**
 * Reads the servers of a pool.
 *
 * @throws InvalidOptionError if one is not the URL of an http(s) origin, has a wrong setting, or stands there twice.
 */
export function readUpstreams(upstreams: unknown): UpstreamSettings[] {
  if (!Array.isArray(upstreams)) throw new InvalidOptionError('upstreams', 'an array of URLs', upstreams);
  const all = upstreams.map((upstream) => readUpstream(upstream));
  const seen = new Set<string>();
  for (const { url } of all) {
    if (seen.has(url)) throw new InvalidOptionError('upstreams', 'different from each other', url);
    seen.add(url);
  }
  return all;
}

/** @throws InvalidOptionError if it is not the URL of an http(s) origin, or has a wrong setting. */
export function readUpstream(upstream: unknown): UpstreamSettings {
  if (typeof upstream !== 'object' || upstream === null) {
    return { url: originOf(upstream), weight: 1, zone: undefined, priority: 0, hostname: undefined };
  }
  knownOptions(upstream, ['url', 'weight', 'zone', 'priority', 'hostname'], 'upstream');
  const { url, weight = 1, zone, priority = 0, hostname } = upstream as Exclude<UpstreamOptions, string>;
  return {
    url: originOf(url),
    weight: readWeight(weight),
    zone: zone === undefined ? undefined : text(zone, 'zone'),
    priority: integer(priority, 'priority', 0, 127),
    hostname: hostname === undefined ? undefined : text(hostname, 'hostname'),
  };
}

/** @throws InvalidOptionError if it is not an integer from 0 to 65,535. */
export function readWeight(weight: unknown): number {
  return integer(weight, 'weight', 0, 65_535);
}

/** @throws InvalidOptionError if it is not the URL of an http(s) origin. */
export function originOf(given: unknown): string {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined;
  const plain =
    url !== undefined &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.pathname === '/' &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (!plain) {
    throw new InvalidOptionError(
      'upstreams',
      "the URL of an http or https origin, such as 'http://10.0.0.7:8080'",
      given,
    );
  }
  return url.origin;
}
