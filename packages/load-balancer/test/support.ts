import type { Lease, Pool, UpstreamOptions } from '../src/index.ts';

export const [a, b, c] = ['http://127.0.0.1:1001', 'http://127.0.0.1:1002', 'http://127.0.0.1:1003'] as const;
export const abc = [a, b, c] as const;

type Outcome = 'ok' | 'failure' | 'ignore';

/** One request from choice to outcome. */
export function serve(pool: Pool, outcome: Outcome = 'ok', options = {}): string | undefined {
  const lease = pool.acquire(options);
  lease?.release({ outcome });
  return lease?.upstream.url;
}

/** Who served that many requests, one after the other. */
export function served(pool: Pool, requests: number, options = {}): (string | undefined)[] {
  return Array.from({ length: requests }, () => serve(pool, 'ok', options));
}

/** How many requests each server got. */
export function counted(pool: Pool, requests: number, options = {}): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>(pool.upstreams.map(({ url }) => [url, 0]));
  for (let i = 0; i < requests; i += 1) {
    const url = serve(pool, 'ok', options);
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  return counts;
}

/** Servers s0, s1, ... of these weights. */
export function weighing(...weights: readonly number[]): UpstreamOptions[] {
  return weights.map((weight, i) => ({ url: `http://s${i}`, weight }));
}

/** What a server looks like from outside. */
export function state(pool: Pool, url: string): string | undefined {
  return pool.upstreams.find((upstream) => upstream.url === url)?.state;
}

/** Its entry in the snapshot. */
export function shown(pool: Pool, url: string): { readonly [name: string]: unknown } {
  const { upstreams } = pool.snapshot() as { upstreams: { url: string }[] };
  return upstreams.find((upstream) => upstream.url === url) ?? {};
}

export function lease(pool: Pool, options = {}): Lease {
  const taken = pool.acquire(options);
  if (taken === undefined) throw new Error('no upstream');
  return taken;
}
