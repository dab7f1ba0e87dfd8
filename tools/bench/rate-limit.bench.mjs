// Rate limiters in process: what a decision costs on one key and on many, what a key weighs, what a refusal costs a
// server, what the module weighs. Run as `npm run bench -- rate-limit`.
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { gzipSync } from 'node:zlib';
import LocalStore from '@fastify/rate-limit/store/LocalStore.js';
import { serve as honoServe } from '@hono/node-server';
import { build } from 'esbuild';
import express from 'express';
import { MemoryStore as ExpressStore } from 'express-rate-limit';
import fastify from 'fastify';
import { Hono } from 'hono';
import { MemoryStore as HonoStore } from 'hono-rate-limiter';
import { RateLimiter } from 'limiter';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { coarseClock } from '../../packages/core/dist/index.js';
import { weir as expressWeir } from '../../packages/http/dist/express.js';
import { weir as fastifyWeir } from '../../packages/http/dist/fastify.js';
import { weir as honoWeir } from '../../packages/http/dist/hono.js';
import { weir as nodeWeir } from '../../packages/http/dist/node.js';
import {
  createLimiter,
  fixedWindow,
  leakyBucket,
  mapStorage,
  rateLimit,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../packages/rate-limit/dist/index.js';
import { bytesEach, compare, goal, keep, print } from './harness.mjs';

// The harness collects garbage between contenders; that must not make the engine forget the code of the others.
setFlagsFromString('--no-flush-bytecode');

const minute = 60_000;
const plenty = 1e9;
const row = (rows, name) => rows.find((each) => each.name === name);
/** By the least of many short rounds: what the work costs while nobody else is on the core. */
const least = (rows, name, base = 'bare Map') => row(rows, name).min / row(rows, base).min;
const short = { ops: 20_000, rounds: 101, warmup: 10 };
const times = (value) => `${value.toFixed(2)} x`;

/** The least that counts: a fixed window in a Map. */
function mapFloor() {
  const map = new Map();
  return (key) => {
    const now = Date.now();
    let entry = map.get(key);
    if (entry === undefined || entry.reset <= now) {
      entry = { count: 0, reset: now + minute };
      map.set(key, entry);
    }
    entry.count += 1;
    return entry;
  };
}

function weir(options = {}) {
  const limiter = createLimiter({ limits: tokenBucket({ limit: 1_000_000, per: '1s' }), ...options });
  return (key) => limiter.check(key);
}

function expressStore() {
  const store = new ExpressStore();
  store.init({ windowMs: minute });
  return (key) => store.increment(key);
}

function honoStore() {
  const store = new HonoStore();
  store.init({ windowMs: minute });
  return (key) => store.increment(key);
}

function fastifyStore(maxKeys) {
  const store = new LocalStore(false, false, maxKeys + 10);
  let answer;
  const note = (_error, result) => {
    answer = result;
  };
  return (key) => {
    store.incr(key, note, minute, plenty);
    return answer;
  };
}

function npmLimiter() {
  const map = new Map();
  return (key) => {
    let limiter = map.get(key);
    if (limiter === undefined) {
      limiter = new RateLimiter({ tokensPerInterval: plenty, interval: minute });
      map.set(key, limiter);
    }
    return limiter.tryRemoveTokens(1);
  };
}

function flexible() {
  const limiter = new RateLimiterMemory({ points: plenty, duration: 60 });
  return (key) => limiter.consume(key);
}

/**
 * A loop for this contender alone: loops that share code would share what the engine has learnt of their calls. The last
 * decision is kept, so that none is left unmade, and so that the engine does not forget what one looks like when the
 * harness collects garbage.
 */
const loop = (check, next, awaits = false) =>
  new Function(
    'check',
    'next',
    'kept',
    `return ${awaits ? 'async ' : ''}(ops) => {
      let last;
      for (let i = 0; i < ops; i += 1) last = ${awaits ? 'await ' : ''}check(next(i));
      kept.last = last;
    };`,
  )(check, next, {});

async function hotKey() {
  const clock = coarseClock();
  const next = new Function('return () => "203.0.113.7"')();
  const rows = await compare(
    {
      'bare Map': loop(mapFloor(), next),
      weir: loop(weir(), next),
      'weir, coarse clock': loop(weir({ clock }), next),
      'express-rate-limit MemoryStore': loop(expressStore(), next, true),
      'hono-rate-limiter MemoryStore': loop(honoStore(), next, true),
      '@fastify/rate-limit LocalStore': loop(fastifyStore(10), next),
      'limiter, in a Map': loop(npmLimiter(), next),
      'rate-limiter-flexible memory': loop(flexible(), next, true),
    },
    short,
  );
  print('One hot key', rows);
  const flexibleName = 'rate-limiter-flexible memory';
  const expressName = 'express-rate-limit MemoryStore';
  for (const [name, floor, overFlexible, overExpress] of [
    ['weir', 1.3, 5, 1.7],
    ['weir, coarse clock', 0.4, 5, 1.7],
  ]) {
    const own = least(rows, name);
    const faster = [least(rows, flexibleName, name), least(rows, expressName, name)];
    goal(`${name}: <= ${floor} x the Map`, times(own), own <= floor);
    goal(
      `${name}: >= ${overFlexible} x faster than ${flexibleName}`,
      times(faster[0]),
      faster[0] >= overFlexible,
    );
    goal(
      `${name}: >= ${overExpress} x faster than ${expressName}`,
      times(faster[1]),
      faster[1] >= overExpress,
    );
  }
  const clocks = await compare(
    {
      'Date.now()': loop(() => Date.now(), next),
      'performance.now()': loop(() => performance.now(), next),
    },
    short,
  );
  print('Of that, the clock', clocks);
  const kinds = { fixedWindow, slidingWindow, slidingLog, tokenBucket, leakyBucket };
  const all = await compare(
    {
      'bare Map': loop(mapFloor(), next),
      ...Object.fromEntries(
        Object.entries(kinds).map(([name, make]) => [
          name,
          loop(weir({ limits: make({ limit: 10_000, per: '1s' }), clock }), next),
        ]),
      ),
      'two limits': loop(
        weir({
          limits: [tokenBucket({ limit: 1e6, per: '1s' }), fixedWindow({ limit: 1e9, per: '1h' })],
          clock,
        }),
        next,
      ),
    },
    short,
  );
  print('Every algorithm in one process, by coarseClock()', all);
  clock.close();
}

const address = (i) => `${10 + (i >> 24)}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

async function manyKeys(count, contenders) {
  // A collection before each round would bring the objects of some contenders into the cache, and the arrays of others
  // not.
  const { gc } = globalThis;
  globalThis.gc = undefined;
  const keys = Array.from({ length: count }, (_, i) => address(i));
  const order = Uint32Array.from({ length: 2 ** 20 }, () => Math.floor(Math.random() * count));
  let at = 0;
  const anyKey = () => {
    at = (at + 1) & (order.length - 1);
    return keys[order[at]];
  };
  // All keys are there before the first round.
  const filled = async (check, awaits = false) => {
    for (const key of keys) await check(key);
    return loop(check, anyKey, awaits);
  };
  const rows = await compare(await contenders(filled), { ops: 50_000, rounds: 21 });
  globalThis.gc = gc;
  print(`${count} random keys`, rows);
  const own = least(rows, 'weir');
  goal(`${count} keys <= 0.8 x the Map`, times(own), own <= 0.8);
}

function weights() {
  console.log('\nBytes a key, strings included, and a full collection while they are held');
  const collection = () => {
    const took = Array.from({ length: 5 }, () => {
      const started = performance.now();
      globalThis.gc();
      return performance.now() - started;
    });
    return Math.min(...took);
  };
  const idle = collection();
  const weigh = (name, count, make) => {
    const { bytes, kept } = bytesEach(count, () => {
      const check = make(count);
      for (let i = 0; i < count; i += 1) check(address(i));
      return check;
    });
    const ms = collection() - idle;
    keep(kept);
    console.log(
      `  ${name.padEnd(34)} ${bytes.toFixed(0).padStart(5)} bytes  ${ms.toFixed(1).padStart(7)} ms   (${count} keys)`,
    );
    return { bytes, ms };
  };
  const million = 1_000_000;
  const table = weigh('weir, table', million, (maxKeys) => weir({ maxKeys }));
  const map = weigh('weir, Map mode', million, (maxKeys) => weir({ maxKeys, storage: mapStorage() }));
  weigh('bare Map', million, mapFloor);
  weigh('express-rate-limit MemoryStore', 200_000, expressStore);
  weigh('hono-rate-limiter MemoryStore', 200_000, honoStore);
  weigh('@fastify/rate-limit LocalStore', 200_000, fastifyStore);
  weigh('limiter, in a Map', 200_000, npmLimiter);
  weigh('rate-limiter-flexible memory', 200_000, flexible);
  goal('table <= 40 bytes a key', `${table.bytes.toFixed(1)} bytes`, table.bytes <= 40);
  goal('Map mode <= 90 bytes a key', `${map.bytes.toFixed(1)} bytes`, map.bytes <= 90);
  goal('a full collection at 1M keys in the table <= 20 ms', `${table.ms.toFixed(1)} ms`, table.ms <= 20);
}

function allocation() {
  const clock = coarseClock();
  const limiter = createLimiter({ limits: tokenBucket({ limit: 1_000_000, per: '1s' }), clock });
  const grown = (call) => {
    for (let i = 0; i < 100_000; i += 1) call(i);
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    // Few enough for the young generation, so that nothing is collected meanwhile.
    for (let i = 0; i < 5000; i += 1) call(i);
    return (process.memoryUsage().heapUsed - before) / 5000;
  };
  const kept = {};
  const keys = Array.from({ length: 64 }, (_, i) => address(i));
  const step = grown((i) => limiter.charge(keys[i & 63], 1));
  const decision = grown((i) => {
    kept.last = limiter.check(keys[i & 63]);
  });
  clock.close();
  console.log(`\nA step allocates ${step.toFixed(1)} bytes, with its decision ${decision.toFixed(1)}`);
  // Taking the measure allocates as well; the smallest object has 16 bytes.
  goal('the step itself allocates nothing', `${step.toFixed(1)} bytes`, step < 4);
}

const frameworks = {
  node: (policy) => {
    const handler = (_req, res) => res.end('hello');
    return createServer(policy === undefined ? handler : nodeWeir(policy).wrap(handler)).listen(
      0,
      '127.0.0.1',
    );
  },
  express: (policy) => {
    const app = express();
    if (policy !== undefined) app.use(expressWeir(policy));
    app.get('/', (_req, res) => res.send('hello'));
    return app.listen(0, '127.0.0.1');
  },
  hono: (policy) => {
    const app = new Hono();
    if (policy !== undefined) app.use(honoWeir(policy));
    app.get('/', (c) => c.text('hello'));
    return honoServe({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  },
  fastify: (policy) => {
    const app = fastify();
    if (policy !== undefined) app.register(fastifyWeir(policy));
    app.get('/', async () => 'hello');
    app.listen({ port: 0, host: '127.0.0.1' });
    return app.server;
  },
};

/** As a child: one server, which tells its port, and its CPU time whenever asked. */
function serveHere(framework, what) {
  const limits = fixedWindow({ limit: what === 'refuses' ? 1 : plenty, per: '1d' });
  const server = frameworks[framework](what === 'plain' ? undefined : rateLimit({ limits }));
  const tell = () => process.send({ port: server.address().port });
  if (server.listening) tell();
  else server.once('listening', tell);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send({ cpu: user + system });
  });
  process.on('disconnect', () => process.exit(0));
}

async function servers() {
  if (spawnSync('wrk', ['--version']).error !== undefined) {
    console.log('\nServer CPU: left out, there is no wrk on the PATH');
    return;
  }
  console.log('\nServer CPU a request, us (wrk, 32 connections; least of 4 rounds)');
  const once = (child, what) =>
    new Promise((resolve) => {
      const listen = (message) => {
        if (!(what in message)) return;
        child.off('message', listen);
        resolve(message[what]);
      };
      child.on('message', listen);
    });
  const cpu = (child) => {
    const told = once(child, 'cpu');
    child.send('cpu');
    return told;
  };
  const load = (port) =>
    new Promise((resolve, reject) => {
      const wrk = spawn('wrk', ['-t1', '-c32', '-d1s', `http://127.0.0.1:${port}/`]);
      let out = '';
      wrk.stdout.on('data', (chunk) => (out += chunk));
      wrk.on('error', reject);
      wrk.on('close', () => resolve(Number(/(\d+) requests in/.exec(out)?.[1] ?? 0)));
    });
  const file = fileURLToPath(import.meta.url);
  for (const framework of Object.keys(frameworks)) {
    const kinds = ['plain', 'admits', 'refuses'];
    const children = kinds.map((what) =>
      spawn(process.execPath, [file, framework, what], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
    const ports = await Promise.all(children.map((child) => once(child, 'port')));
    const rounds = kinds.map(() => []);
    for (let round = -1; round < 4; round += 1) {
      for (let i = 0; i < kinds.length; i += 1) {
        const before = await cpu(children[i]);
        const requests = await load(ports[i]);
        const used = (await cpu(children[i])) - before;
        if (round >= 0) rounds[i].push(used / requests);
      }
    }
    for (const child of children) child.disconnect();
    const [plain, admits, refuses] = rounds.map((values) => Math.min(...values));
    console.log(
      `  ${framework.padEnd(8)} hello ${plain.toFixed(1)}   hello, limited ${admits.toFixed(1)}   429 ${refuses.toFixed(1)}`,
    );
    goal(`${framework}: a 429 costs less than a limited hello`, times(refuses / admits), refuses < admits);
    goal(`${framework}: a 429 costs less than hello`, times(refuses / plain), refuses < plain);
  }
}

async function moduleSize() {
  const entry = fileURLToPath(new URL('../../packages/rate-limit/dist/index.js', import.meta.url));
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: `export { createLimiter, tokenBucket } from ${JSON.stringify(entry)};`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2023',
    write: false,
    metafile: true,
  });
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  const [{ inputs }] = Object.values(metafile.outputs);
  const of = (name) =>
    Object.entries(inputs)
      .filter(([path]) => path.includes(`packages/${name}/`))
      .reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0);
  console.log(
    `\nModule: createLimiter and tokenBucket, minified: ${of('rate-limit')} bytes of its own, ${of('core')} of core`,
  );
  goal('<= 3 kB gzip', `${bytes} bytes`, bytes <= 3072);
}

const [framework, what] = process.argv.slice(2);
if (framework !== undefined && what !== undefined) serveHere(framework, what);
else {
  await moduleSize();
  allocation();
  await hotKey();
  await manyKeys(100_000, async (filled) => ({
    'bare Map': await filled(mapFloor()),
    weir: await filled(weir({ maxKeys: 100_000 })),
    'weir, Map mode': await filled(weir({ maxKeys: 100_000, storage: mapStorage() })),
    'express-rate-limit MemoryStore': await filled(expressStore(), true),
    'hono-rate-limiter MemoryStore': await filled(honoStore(), true),
    '@fastify/rate-limit LocalStore': await filled(fastifyStore(100_000)),
    'limiter, in a Map': await filled(npmLimiter()),
    'rate-limiter-flexible memory': await filled(flexible(), true),
  }));
  await manyKeys(1_000_000, async (filled) => ({
    'bare Map': await filled(mapFloor()),
    weir: await filled(weir({ maxKeys: 1_000_000 })),
    'weir, Map mode': await filled(weir({ maxKeys: 1_000_000, storage: mapStorage() })),
    '@fastify/rate-limit LocalStore': await filled(fastifyStore(1_000_000)),
  }));
  weights();
  await servers();
  // rate-limiter-flexible holds a timer for each key.
  process.exit(0);
}
