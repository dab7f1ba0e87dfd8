// The same names with their types: what a stranger's editor sees.
import { createCache } from '@weir/cache';
import { type Breaker, createBreaker } from '@weir/circuit-breaker';
import { createRing } from '@weir/consistent-hash';
import type { Policy } from '@weir/core';
import { exchangeOf, weir as express } from '@weir/http/express';
import { weir as hono } from '@weir/http/hono';
import { weir as node } from '@weir/http/node';
import { createPool, roundRobin, upstreamKey } from '@weir/load-balancer';
import { collect } from '@weir/metrics';
import { proxy } from '@weir/proxy';
import { createLimiter, type Decision, rateLimit, tokenBucket } from '@weir/rate-limit';
import expressApp from 'express';
import { Hono } from 'hono';

const policy: Policy = { name: 'mine', enter: (x) => x.setHeader('x-method', x.method) };
const limiter = createLimiter({ limits: tokenBucket({ limit: 1, per: '1s' }) });
const decision: Decision = limiter.check('a');
const pool = createPool(['http://127.0.0.1:1'], { strategy: roundRobin() });
const breaker: Breaker = createBreaker();
const owner: string | undefined = createRing(['a', 'b']).get('key');
const value: number | Promise<number> = createCache({ ttl: '1s' }).getOrLoad('k', () => 1);

expressApp().use(express([policy, rateLimit({ limiter })]), (req, res) => {
  res.send(exchangeOf(req).get(upstreamKey)?.url);
});
new Hono().use(hono(policy));
node([policy, proxy(pool)]).wrap((_req, res) => res.end());

// @ts-expect-error -- a duration has a unit that exists
tokenBucket({ limit: 1, per: '10 parsecs' });
// @ts-expect-error -- an option that does not exist
createPool([], { stratgy: roundRobin() });

export const all = [decision, breaker, owner, value, collect([pool, limiter])];
