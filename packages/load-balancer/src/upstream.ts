import { InvalidOptionError } from '@weir/core';

/** A server as the user names it: the URL of its origin, or that with settings. */
export type UpstreamOptions = string | { readonly url: string };

/** A server of a pool. */
export interface Upstream {
  /** Its origin, such as `http://10.0.0.7:8080`; no path, no trailing slash. */
  readonly url: string;
  /** Leases handed out and not yet released. */
  readonly inFlight: number;
  readonly state: 'up' | 'ejected';
}

/** The pool's own view of a server. Counters are plain fields, read by metrics. */
export class Member implements Upstream {
  readonly url: string;
  inFlight = 0;
  state: 'up' | 'ejected' = 'up';
  /** Failures since the last success. */
  failuresInARow = 0;
  /** Ejections since the last success. */
  ejectionsInARow = 0;
  /** When an ejected one may be tried again, on the pool's clock. */
  returnsAt = 0;
  picked = 0;
  succeeded = 0;
  failed = 0;
  ejections = 0;

  constructor(url: string) {
    this.url = url;
  }
}

/**
 * Reads the servers of a pool.
 *
 * @throws InvalidOptionError if one is not the URL of an http(s) origin, or stands there twice.
 */
export function readUpstreams(upstreams: unknown): Member[] {
  if (!Array.isArray(upstreams)) throw new InvalidOptionError('upstreams', 'an array of URLs', upstreams);
  const members = upstreams.map((upstream: UpstreamOptions) => new Member(originOf(upstream)));
  const seen = new Set<string>();
  for (const { url } of members) {
    if (seen.has(url)) throw new InvalidOptionError('upstreams', 'different from each other', url);
    seen.add(url);
  }
  return members;
}

function originOf(upstream: unknown): string {
  const given =
    typeof upstream === 'object' && upstream !== null ? (upstream as { url?: unknown }).url : upstream;
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
