import { createCache } from '@weir/cache';
import { createOpossumBreaker } from '@weir/circuit-breaker/opossum';
import { dashboard } from '@weir/dashboard';
import { weir } from '@weir/http/hono';
import { createPool, roundRobin } from '@weir/load-balancer';
import { collect, metricsEndpoint } from '@weir/metrics';
import { proxy } from '@weir/proxy';
import { createLimiter, rateLimit, tokenBucket } from '@weir/rate-limit';
import { Hono } from 'hono';

/** The gateway in front of these servers: limits, a cache, balancing, a breaker, metrics and a dashboard. */
export function createGateway(upstreams: readonly string[]): { app: Hono; close(): Promise<void> } {
  const limiter = createLimiter({
    name: 'api',
    // 100 requests at once, and 50 more every second, for each client.
    limits: tokenBucket({ limit: 50, per: '1s', burst: 100 }),
  });
  const pool = createPool(upstreams, {
    name: 'api',
    strategy: roundRobin(),
    outliers: { consecutiveFailures: 3, ejectFor: '5s' },
  });
  const cache = createCache({ name: 'api', max: 1_000, ttl: '10s' });
  const breaker = createOpossumBreaker({ name: 'time', minimumCalls: 5, openFor: '5s' });
  const forward = proxy(pool, { timeout: { head: '5s' } });
  const components = [limiter, pool, cache, breaker, forward];
  const page = dashboard(components, { actions: true });

  /** What `/api/cached` shows: an answer of some upstream, and when it came. */
  const loadTime = (signal: AbortSignal): Promise<{ body: string; at: number }> =>
    breaker.execute(async () => {
      using lease = pool.acquire();
      if (lease === undefined) throw new Error('no upstream is available');
      const response = await fetch(`${lease.upstream.url}/api/time`, { signal });
      lease.release({ outcome: response.ok ? 'ok' : 'failure' });
      if (!response.ok) throw new Error(`${lease.upstream.url} answered ${response.status}`);
      return { body: await response.text(), at: Date.now() };
    });

  const app = new Hono();
  app.use('/metrics', weir(metricsEndpoint(collect(components))));
  app.use('/_weir/*', weir(page));
  app.use('/api/*', weir(rateLimit({ limiter })));
  app.get('/api/cached', async (c) => {
    let loaded = false;
    const { body, at } = await cache.getOrLoad('time', ({ signal }) => {
      loaded = true;
      return loadTime(signal);
    });
    if (!loaded) c.header('age', String(Math.floor((Date.now() - at) / 1000)));
    return c.body(body, 200, { 'content-type': 'application/json' });
  });
  app.use('/api/*', weir(forward));
  app.onError((error, c) => {
    console.error(`${c.req.method} ${c.req.path}: ${error.message}`);
    return c.json({ title: 'Bad Gateway', status: 502 }, 502, { 'content-type': 'application/problem+json' });
  });
  return {
    app,
    async close() {
      page.close();
      pool.close();
      await forward.close();
    },
  };
}
