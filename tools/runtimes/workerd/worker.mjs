// The conformance suite of @weir/http inside workerd: a request to /run walks through the cases, and each of them sends
// its requests to this very worker, over its socket.
import { weir } from '../../../packages/http/dist/fetch.js';
import { conformanceCases, webRoutes } from '../../../packages/http/dist/testing.js';

/** What the case at hand has mounted. */
let mounted = webRoutes;

const host = (port) => ({
  name: 'workerd',
  // The runtime makes the page for a thrown error itself, tells no peer, and reports a client that left only once the
  // response has begun.
  cannot: ['error-headers', 'address', 'abort', 'length'],
  start(mounts, options) {
    const [first, ...rest] = mounts.map((policies) => weir(policies, options));
    const handler = rest.reduceRight((inner, mount) => (request) => mount(request, inner), webRoutes);
    mounted = first.wrap((request) => handler(request));
    return { port, async [Symbol.asyncDispose]() {} };
  },
});

export default {
  async fetch(request, env, context) {
    const { pathname, port } = new URL(request.url);
    if (pathname !== '/run') {
      // A request that waits for nothing but the client's leaving is taken for hung; real ones wait for something.
      context.waitUntil(scheduler.wait(3_000));
      return mounted(request, env, context);
    }
    const lines = [];
    let failed = 0;
    for (const { name, run } of conformanceCases(host(Number(port)))) {
      const late = Promise.withResolvers();
      const timer = setTimeout(() => late.reject(new Error('took more than 5 s')), 5_000);
      try {
        await Promise.race([run(), late.promise]);
      } catch (error) {
        failed += 1;
        lines.push(`${name}\n  ${error?.stack ?? error}`);
      }
      clearTimeout(timer);
      if (failed === 0) lines.length = 0;
    }
    return new Response(`${lines.join('\n')}\n${conformanceCases(host(0)).length} cases, ${failed} failed\n`);
  },
};
