import {
  callable,
  createKey,
  type Exchange,
  type Key,
  knownOptions,
  type Outcome,
  type Policy,
  problem,
} from '@weir/core';
import { acquireFor, stick } from './acquire-for.ts';
import type { Pool } from './pool.ts';
import type { Upstream } from './upstream.ts';

/** Where {@link balance} leaves the chosen server for handlers. */
export const upstreamKey: Key<Upstream> = /* @__PURE__ */ createKey<Upstream>('weir:load-balancer:upstream');

export interface BalanceOptions {
  /** What a request is about, for strategies that hash keys. @default none */
  readonly key?: (x: Exchange) => string | undefined;
}

/**
 * Chooses a server for each request and hands it to the handler, which calls it by its own means. The request counts
 * as in flight until the response has ended; an answer with a status >= 500 counts against the server, a client that goes
 * away does not. Without a server, answers 503 with Retry-After.
 *
 * @throws InvalidOptionError if an option is unknown or wrong.
 *
 * @example
 * app.use(weir(balance(pool)));
 * app.get('/', async (c) => fetch(new URL('/', exchangeOf(c).get(upstreamKey)?.url)));
 */
export function balance(pool: Pool, options: BalanceOptions = {}): Policy {
  knownOptions(options, ['key'], 'balance');
  const key = options.key === undefined ? undefined : callable(options.key, 'key');
  const unavailable = problem(503, { detail: 'No upstream is available.', headers: ['retry-after', '1'] });
  return {
    name: 'balance',
    enter(x) {
      const lease = acquireFor(pool, x, key === undefined ? undefined : { key: key(x) });
      if (lease === undefined) return unavailable;
      stick(pool, x, lease);
      x.set(upstreamKey, lease.upstream);
      return (outcome) => lease.release({ outcome: verdict(outcome), durationMs: outcome.headMs });
    },
  };
}

function verdict({ kind }: Outcome): 'ok' | 'failure' | 'ignore' {
  if (kind === 'ok') return 'ok';
  return kind === 'error' ? 'failure' : 'ignore';
}
