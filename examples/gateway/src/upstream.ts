// A small server behind the gateway, in a process of its own so that it can really die. Started by upstreams.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const [name = 'a', port = '0'] = process.argv.slice(2);
let mode: 'ok' | 'slow' | 'fail' = 'ok';

const app = new Hono();
app.use('/api/*', async (c, next) => {
  if (mode === 'fail') return c.json({ upstream: name, error: 'told to fail' }, 500);
  if (mode === 'slow') await sleep(2_000);
  return next();
});
app.get('/api/hello', (c) => c.json({ message: 'hello', upstream: name }));
app.get('/api/time', (c) => c.json({ time: new Date().toISOString(), upstream: name }));
app.all('/api/echo', async (c) => c.json({ upstream: name, method: c.req.method, body: await c.req.text() }));

serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' }, (address) =>
  process.send?.(address.port),
);

process.on('message', (told: typeof mode) => {
  mode = told;
});
// Whatever becomes of the gateway, no upstream outlives it.
process.on('disconnect', () => process.exit());
