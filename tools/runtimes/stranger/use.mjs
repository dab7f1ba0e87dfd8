// A little of everything, from plain JavaScript.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createCache } from '@weir/cache';
import { createBreaker } from '@weir/circuit-breaker';
import { createOpossumBreaker } from '@weir/circuit-breaker/opossum';
import { createRing } from '@weir/consistent-hash';
import { ManualClock } from '@weir/core/testing';
import { weir as express } from '@weir/http/express';
import { weir as fetchable } from '@weir/http/fetch';
import { weir as hono } from '@weir/http/hono';
import { weir as node } from '@weir/http/node';
import { createPool } from '@weir/load-balancer';
import { collect } from '@weir/metrics';
import { proxy } from '@weir/proxy';
import { createLimiter, rateLimit, tokenBucket } from '@weir/rate-limit';
import expressApp from 'express';
import { Hono } from 'hono';

for (const subpath of JSON.parse(readFileSync('subpaths.json', 'utf8'))) {
  assert.ok(Object.keys(await import(subpath)).length > 0, subpath);
}

const limits = tokenBucket({ limit: 1, per: '1h' });
const limiter = createLimiter({ limits });
assert.deepEqual([limiter.check('a').allowed, limiter.check('a').allowed], [true, false]);

const cache = createCache({ ttl: '1m', max: 10, clock: new ManualClock() });
assert.equal(await cache.getOrLoad('k', async () => 'v'), 'v');
assert.equal(createRing(['a', 'b']).get('key'), createRing(['b', 'a']).get('key'));
assert.equal(await createBreaker().execute(async () => 1), 1);
assert.equal(await createOpossumBreaker({}).execute(async () => 2), 2);

const listen = (server) =>
  new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)),
  );
const origin = createServer((_req, res) => res.end('origin'));
const pool = createPool([await listen(origin)]);
const forward = proxy(pool);
const policies = () => [rateLimit({ limits }), forward];
const servers = [origin];
const twice = async (url) => {
  const statuses = [];
  for (let i = 0; i < 2; i += 1) {
    const response = await fetch(url);
    await response.text();
    statuses.push(response.status);
  }
  assert.deepEqual(statuses, [200, 429]);
};
{
  const server = createServer(node(policies()).wrap(() => {}));
  servers.push(server);
  await twice(await listen(server));
}
{
  const server = createServer(expressApp().use(express(policies())));
  servers.push(server);
  await twice(await listen(server));
}
{
  const app = new Hono();
  app.use(hono(rateLimit({ limits })));
  app.get('/', (c) => c.text('hono'));
  assert.deepEqual([(await app.request('/')).status, (await app.request('/')).status], [200, 429]);
}
{
  const handler = fetchable(rateLimit({ limits })).wrap(() => new Response('fetch'));
  const ask = async () => (await handler(new Request('http://localhost/'))).status;
  assert.deepEqual([await ask(), await ask()], [200, 429]);
}
assert.match(await collect([limiter, pool, cache]).metrics(), /weir_load_balancer_requests_total/);
await forward.close();
for (const server of servers) {
  server.closeAllConnections();
  server.close();
}
