import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { createGateway } from './gateway.ts';
import { load } from './load.ts';
import { type Mode, modes, UpstreamProcess } from './upstreams.ts';

const port = Number(process.env.PORT ?? 8080);
if (!Number.isInteger(port) || port < 0 || port > 65_535)
  fail(`PORT must be a number from 0 to 65535, got "${process.env.PORT}"`);

const upstreams = ['a', 'b', 'c'].map((name) => new UpstreamProcess(name));
process.on('exit', () => {
  for (const upstream of upstreams) upstream.stop();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));

await Promise.all(upstreams.map((upstream) => upstream.start()));
const { app } = createGateway(upstreams.map(({ url }) => url));

// For trying things out: the gateway of a real service has no such route.
app.post('/upstreams/:name/:mode', async (c) => {
  const upstream = upstreams.find(({ name }) => name === c.req.param('name'));
  const mode = c.req.param('mode') as Mode;
  if (upstream === undefined || !modes.includes(mode))
    return c.text(`try /upstreams/a/${modes.join('|')}\n`, 404);
  await upstream.tell(mode);
  return c.text(`${upstream.name}: ${mode}\n`);
});

const server = createAdaptorServer({ fetch: app.fetch }) as Server;
server.on('error', (error: NodeJS.ErrnoException) => {
  fail(
    error.code === 'EADDRINUSE'
      ? `port ${port} is taken. Stop what uses it, or choose another: PORT=9090 npm start`
      : `cannot listen on port ${port}: ${error.message}`,
  );
});
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const url = `http://localhost:${typeof address === 'object' ? address?.port : port}`;
  console.log(`
The gateway listens on ${url}, in front of three upstreams:
${upstreams.map((upstream) => `  ${upstream.name}  ${upstream.url}`).join('\n')}

Try, in another terminal:
  curl -i ${url}/api/hello              # each request goes to the next upstream
  curl -i ${url}/api/cached             # the second time it comes from memory, with an Age
  curl -s ${url}/metrics                # what has happened so far
  ${url}/_weir/                         # the same as a page, for a browser
  curl -X POST ${url}/upstreams/b/die   # kill one: the gateway goes on (also: ok, slow, fail)
  for i in $(seq 200); do curl -s -o /dev/null -w '%{http_code}\\n' ${url}/api/hello & done; wait
                                                     # too fast: 429 with Retry-After
Ctrl-C stops everything.
`);
  if (process.argv.includes('--load')) void load(url);
});

function fail(message: string): never {
  console.error(`gateway: ${message}`);
  process.exit(1);
}
