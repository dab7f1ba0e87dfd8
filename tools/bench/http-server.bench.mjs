// What Weir adds to a request of each framework, end to end, beside what others add for the same work: a counter, and a
// limit per address with two headers (never reached).
import { goal } from './harness.mjs';
import { freePorts, listens, load, median, missing, start } from './servers.mjs';

const rounds = 5;
const never = 1e9;

const counted = { responses: 0 };
const count = () => {
  counted.responses += 1;
};
const counter = { name: 'counter', enter: () => count };
const limiter = async () => {
  const { fixedWindow, rateLimit } = await import('../../packages/rate-limit/dist/index.js');
  return rateLimit({ limits: fixedWindow({ limit: never, per: '1m' }) });
};
const weirs = async (framework) => {
  const { weir } = await import(`../../packages/http/dist/${framework}.js`);
  return {
    bare: undefined,
    'weir, a counter': weir(counter),
    'weir, a limit': weir(await limiter()),
  };
};

/** framework -> contender -> middleware of that framework's own kind; `bare` has none. */
const contenders = {
  node: () => weirs('node'),
  async express() {
    const { rateLimit } = await import('express-rate-limit');
    const { createMiddleware } = await import('@universal-middleware/express');
    return {
      ...(await weirs('express')),
      'express-rate-limit': rateLimit({
        windowMs: 60_000,
        limit: never,
        standardHeaders: 'draft-7',
        legacyHeaders: false,
      }),
      'universal-middleware, a counter': createMiddleware(() => () => count)(),
    };
  },
  async fastify() {
    const { default: peer } = await import('@fastify/rate-limit');
    const { createMiddleware } = await import('@universal-middleware/fastify');
    const limit = { max: never, timeWindow: 60_000, enableDraftSpec: true };
    return {
      ...(await weirs('fastify')),
      // For the application itself, as a plugin of Weir is.
      '@fastify/rate-limit': Object.assign(async (app) => app.register(peer, limit), {
        [Symbol.for('skip-override')]: true,
      }),
      'universal-middleware, a counter': createMiddleware(() => () => count)(),
    };
  },
  async koa() {
    const { default: peer } = await import('koa-ratelimit');
    return {
      ...(await weirs('koa')),
      'koa-ratelimit': peer({ driver: 'memory', db: new Map(), duration: 60_000, max: never }),
    };
  },
  async hono() {
    const { rateLimiter } = await import('hono-rate-limiter');
    return {
      ...(await weirs('hono')),
      'hono-rate-limiter': rateLimiter({
        windowMs: 60_000,
        limit: never,
        standardHeaders: 'draft-7',
        keyGenerator: (c) => c.env.incoming.socket.remoteAddress,
      }),
    };
  },
  h3: () => weirs('h3'),
};

/** Starts a hello server of a framework with one middleware in front. */
const servers = {
  async node(middleware, port) {
    const { createServer } = await import('node:http');
    const hello = (_req, res) => res.end('hello');
    createServer(middleware === undefined ? hello : middleware.wrap(hello)).listen(port);
  },
  async express(middleware, port) {
    const { default: express } = await import('express');
    const app = express();
    if (middleware !== undefined) app.use(middleware);
    app.get('/', (_req, res) => res.send('hello')).listen(port);
  },
  async fastify(middleware, port) {
    const { default: fastify } = await import('fastify');
    const app = fastify();
    if (middleware !== undefined) await app.register(middleware);
    app.get('/', async () => 'hello');
    await app.listen({ port });
  },
  async koa(middleware, port) {
    const { default: Koa } = await import('koa');
    const app = new Koa();
    if (middleware !== undefined) app.use(middleware);
    app.use((ctx) => {
      ctx.body = 'hello';
    });
    app.listen(port);
  },
  async hono(middleware, port) {
    const [{ Hono }, { serve }] = await Promise.all([import('hono'), import('@hono/node-server')]);
    const app = new Hono();
    if (middleware !== undefined) app.use(middleware);
    app.get('/', (c) => c.text('hello'));
    serve({ fetch: app.fetch, port });
  },
  async h3(middleware, port) {
    const [{ H3, toNodeHandler }, { createServer }] = await Promise.all([import('h3'), import('node:http')]);
    const app = new H3();
    if (middleware !== undefined) app.use(middleware);
    app.get('/', () => 'hello');
    createServer(toNodeHandler(app)).listen(port);
  },
};

if (process.argv[2] === 'serve') {
  const [framework, name, port] = process.argv.slice(3);
  await servers[framework]((await contenders[framework]())[name], Number(port));
  process.on('disconnect', () => process.exit(0));
} else if (missing().length > 0) console.log(`skipped: needs ${missing().join(', ')}`);
else await main(process.argv.slice(2));

async function main(wanted) {
  for (const framework of wanted.length > 0 ? wanted : Object.keys(contenders)) {
    const names = Object.keys(await contenders[framework]());
    const ports = await freePorts(names.length);
    const running = names.map((name, i) => {
      const args = [import.meta.filename, 'serve', framework, name, String(ports[i])];
      const child = start(0, process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      return { name, child, url: `http://127.0.0.1:${ports[i]}/`, samples: [] };
    });
    try {
      for (const { url } of running) await listens(url);
      for (const { child, url } of running) await load(child.pid, url);
      for (let round = 0; round < rounds; round += 1) {
        for (let i = 0; i < running.length; i += 1) {
          const { child, url, samples } = running[(i + round) % running.length];
          samples.push(await load(child.pid, url));
        }
      }
    } finally {
      for (const { child } of running) child.kill('SIGKILL');
    }
    report(framework, running);
  }
}

function report(framework, running) {
  const [bare] = running;
  console.log(
    `\n${framework} (node ${process.version}, 64 connections, median of ${rounds} rounds; CPU time of the server)`,
  );
  const added = new Map();
  for (const { name, samples } of running) {
    const us = median(samples.map((sample) => sample.us));
    added.set(name, median(samples.map((sample, round) => sample.us - bare.samples[round].us)));
    console.log(
      `  ${name.padEnd(32)} ${us.toFixed(1).padStart(7)} us a request   + ${added.get(name).toFixed(1).padStart(5)} us   ${samples[0].trouble ?? ''}`,
    );
  }
  const limit = added.get('weir, a limit');
  if (framework === 'hono' || framework === 'h3') {
    const peer = added.get('hono-rate-limiter');
    if (peer !== undefined)
      goal(
        'hono: a limit adds less than hono-rate-limiter',
        `${limit.toFixed(1)} of ${peer.toFixed(1)} us`,
        limit < peer,
      );
    return;
  }
  const count = added.get('weir, a counter');
  goal(`${framework}: a counter adds <= 3 us`, `${count.toFixed(1)} us`, count <= 3);
  goal(`${framework}: a limit with two headers adds <= 6 us`, `${limit.toFixed(1)} us`, limit <= 6);
  for (const [name, us] of added) {
    if (name === 'bare' || name.startsWith('weir')) continue;
    const own = name.endsWith('counter') ? count : limit;
    goal(`${framework}: adds less than ${name}`, `${own.toFixed(1)} of ${us.toFixed(1)} us`, own < us);
  }
}
