// The conformance suite of @weir/http on this runtime's own server, against the built packages. Runs on Bun and Deno:
// `bun conformance.mjs`, `deno run --allow-all conformance.mjs`. Ends with a line that counts.
import { createRequire } from 'node:module';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const http = new URL('../../packages/http/', import.meta.url);
const require = createRequire(new URL('package.json', http));
/** What @weir/http has installed for its own tests. */
const framework = async (name) => import(pathToFileURL(require.resolve(name)).href);

const { conformanceCases, webRoutes } = await import(new URL('dist/testing.js', http).href);
const adapter = async (name) => import(new URL(`dist/${name}.js`, http).href);

/** Starts the runtime's server around a web-standard handler. */
function serve(fetch) {
  if (globalThis.Bun !== undefined) {
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch,
      // As every host: a page without details for what a handler throws.
      error: () => new Response('oops', { status: 500 }),
    });
    return { port: server.port, [Symbol.asyncDispose]: () => server.stop(true) };
  }
  const controller = new AbortController();
  const server = Deno.serve(
    {
      port: 0,
      hostname: '127.0.0.1',
      signal: controller.signal,
      onListen() {},
      onError: () => new Response('oops', { status: 500 }),
    },
    fetch,
  );
  return {
    port: server.addr.port,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await server.finished;
    },
  };
}

const hosts = {
  async fetch() {
    const { weir } = await adapter('fetch');
    return {
      cannot: ['error-headers'],
      start(mounts, options) {
        const [first, ...rest] = mounts.map((policies) => weir(policies, options));
        const handler = rest.reduceRight((inner, mount) => (request) => mount(request, inner), webRoutes);
        return serve(first.wrap((request) => handler(request)));
      },
    };
  },
  async hono() {
    const { weir } = await adapter('hono');
    const { Hono } = await framework('hono');
    return {
      start(mounts, options) {
        const app = new Hono();
        for (const policies of mounts) app.use(weir(policies, options));
        app.all('*', (c) => webRoutes(c.req.raw));
        app.onError((_error, c) => c.text('oops', 500));
        return serve((request, host) => app.fetch(request, host));
      },
    };
  },
  async elysia() {
    const { weir } = await adapter('elysia');
    const { Elysia } = await framework('elysia');
    return {
      // Told by Elysia's own server alone, which this suite does not start.
      cannot: ['address'],
      start(mounts, options) {
        let app = new Elysia();
        for (const policies of mounts) app = app.use(weir(policies, options));
        app
          .onError(() => new Response('oops', { status: 500 }))
          .all('/*', ({ request }) => webRoutes(request), { parse: 'none' });
        return serve((request) => app.handle(request));
      },
    };
  },
};

const runtime = globalThis.Bun === undefined ? `Deno ${Deno.version.deno}` : `Bun ${Bun.version}`;
let [passed, failed] = [0, 0];
for (const [name, make] of Object.entries(hosts)) {
  for (const { name: title, run } of conformanceCases({ name, ...(await make()) })) {
    const late = Promise.withResolvers();
    const timer = setTimeout(() => late.reject(new Error('took more than 10 s')), 10_000);
    try {
      await Promise.race([run(), late.promise]);
      passed += 1;
    } catch (error) {
      failed += 1;
      console.error(`${runtime}, ${name}: ${title}\n  ${error?.stack ?? error}`);
    }
    clearTimeout(timer);
  }
}
console.log(`${runtime}: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
