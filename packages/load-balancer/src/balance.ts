import { createKey, type Key, type Outcome, type Policy, problem } from '@weir/core';
import type { Pool } from './pool.ts';
import type { Upstream } from './upstream.ts';

/** Where {@link balance} leaves the chosen server for handlers. */
export const upstreamKey: Key<Upstream> = createKey<Upstream>('weir:load-balancer:upstream');

const unavailable = problem(503, { detail: 'No upstream is available.', headers: ['retry-after', '1'] });

/**
 * Chooses a server for each request and hands it to the handler, which calls it by its own means. The request counts
 * as in flight until the response has ended; an answer with a status >= 500 counts against the server.
 *
 * @example
 * app.use(weir(balance(pool)));
 * app.get('/', async (c) => fetch(new URL('/', exchangeOf(c).get(upstreamKey)?.url)));
 */
export function balance(pool: Pool): Policy {
  return {
    name: 'balance',
    enter(x) {
      const lease = pool.acquire({ ip: x.ip });
      if (lease === undefined) return unavailable;
      x.set(upstreamKey, lease.upstream);
      return (outcome) => lease.release({ outcome: verdict(outcome), durationMs: outcome.durationMs });
    },
  };
}

function verdict({ kind }: Outcome): 'ok' | 'failure' | 'ignore' {
  if (kind === 'ok') return 'ok';
  return kind === 'error' ? 'failure' : 'ignore';
}
