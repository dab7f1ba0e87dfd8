// What a gateway adds to a proxied request: an API key, a limit, a cache that misses, a breaker, balancing, metrics. The
// base is Weir's own proxy alone; beside it stand the same chain on fast-gateway, and what people put together on
// Express. Each URL is asked for once only, so that every request is a miss that is stored. Needs nginx, wrk and Linux's
// /proc; see servers.mjs.
import { createHash, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goal } from './harness.mjs';
import { freePorts, listens, load, missing, pathOf, start } from './servers.mjs';

const rounds = Number(process.env.ROUNDS ?? 9);
const seconds = 1;
const never = 1e9;
const key = 'k_bench';
const hash = createHash('sha256').update(key).digest('hex');

const packages = (path) => import(`../../packages/${path}`);

/** A gateway of Weir with a part of the chain. */
async function gateway(port, servers, { auth, limit, cache, breaker, metrics }) {
  const { createGateway } = await packages('gateway/dist/index.js');
  const made = createGateway({
    upstreams: { api: { servers, outliers: { consecutiveFailures: 5 }, ...(breaker && { breaker: {} }) } },
    auth: { partners: { type: 'api-key', keys: [{ id: 'acme', hash: `sha256:${hash}` }] } },
    routes: [
      {
        name: 'orders',
        match: { path: '/orders/*' },
        upstream: 'api',
        ...(auth && { auth: 'partners' }),
        ...(limit && { limit: { limits: { limit: never, per: '1m' } } }),
        ...(cache && { cache: { maxBytes: 16 * 1024 * 1024 } }),
      },
    ],
    ...(metrics && { metrics: '/metrics' }),
  });
  await made.listen(port, '127.0.0.1');
}

/** The same check that the gateway makes. */
function checkKey(req, res, next) {
  const given = req.headers['x-api-key'];
  const digest = createHash('sha256')
    .update(given ?? '')
    .digest();
  if (timingSafeEqual(digest, Buffer.from(hash, 'hex'))) return next();
  res.statusCode = 401;
  res.end();
}

/** A counter and a histogram of prom-client, as its documentation has them. */
async function promMetrics() {
  const { Counter, Histogram } = (await packages('metrics/node_modules/prom-client/index.js')).default;
  const labelNames = ['route', 'status'];
  const count = new Counter({ name: 'requests_total', help: 'Requests.', labelNames });
  const time = new Histogram({ name: 'request_seconds', help: 'Time.', labelNames });
  return (_req, res, next) => {
    const end = time.startTimer();
    res.on('finish', () => {
      const labels = { route: 'orders', status: res.statusCode };
      count.inc(labels);
      end(labels);
    });
    next();
  };
}

/** What comes after this middleware runs inside a breaker of opossum. */
async function opossumBreaker() {
  const { default: CircuitBreaker } = await import('opossum');
  const call = (_req, res, next) =>
    new Promise((resolve, reject) => {
      res.once('close', () => (res.statusCode < 500 ? resolve() : reject(new Error('failed'))));
      next();
    });
  const breaker = new CircuitBreaker(call, { timeout: false, errorThresholdPercentage: 50 });
  return (req, res, next) => {
    breaker.fire(req, res, next).catch(() => {
      if (res.headersSent) return;
      res.statusCode = 503;
      res.end();
    });
  };
}

async function expressLimit() {
  const { rateLimit } = await import('express-rate-limit');
  return rateLimit({
    windowMs: 60_000,
    limit: never,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    keyGenerator: (req) => req.headers['x-api-key'],
    validate: false,
  });
}

const base = 'weir proxy(), alone';
const whole = 'weir gateway, the whole chain';
const contenders = {
  async [base](port, upstreams) {
    const [{ createServer }, { weir }, { createPool }, { proxy }] = await Promise.all([
      import('node:http'),
      packages('http/dist/node.js'),
      packages('load-balancer/dist/index.js'),
      packages('proxy/dist/index.js'),
    ]);
    const pool = createPool(upstreams, { outliers: { consecutiveFailures: 5 } });
    createServer(weir(proxy(pool)).wrap(() => {})).listen(port, '127.0.0.1');
  },
  'weir gateway, a route': (port, upstreams) => gateway(port, upstreams, {}),
  '  and an API key': (port, upstreams) => gateway(port, upstreams, { auth: true }),
  '  and a limit': (port, upstreams) => gateway(port, upstreams, { auth: true, limit: true }),
  '  and a cache': (port, upstreams) => gateway(port, upstreams, { auth: true, limit: true, cache: true }),
  [whole]: (port, upstreams) =>
    gateway(port, upstreams, { auth: true, limit: true, cache: true, breaker: true, metrics: true }),
  async 'fast-gateway, the same chain'(port, [target]) {
    const { default: fastGateway } = await import('fast-gateway');
    const { createRequire } = await import('node:module');
    // Its own dependency, and the cache that its documentation recommends.
    const cache = createRequire(import.meta.resolve('fast-gateway'))('http-cache-middleware');
    const middlewares = [
      await promMetrics(),
      checkKey,
      await expressLimit(),
      cache(),
      await opossumBreaker(),
    ];
    await fastGateway({
      middlewares,
      routes: [{ prefix: '/orders', prefixRewrite: '/orders', target }],
    }).start(port, '127.0.0.1');
  },
  async 'express, its usual middleware'(port, [target]) {
    const [{ default: express }, { createProxyMiddleware }, { Agent }] = await Promise.all([
      import('express'),
      import('http-proxy-middleware'),
      import('node:http'),
    ]);
    const app = express();
    app.use(await promMetrics(), checkKey, await expressLimit(), await opossumBreaker());
    // By default it opens a connection for each request.
    app.use(createProxyMiddleware({ target, xfwd: true, agent: new Agent({ keepAlive: true }) }));
    app.listen(port, '127.0.0.1');
  },
};

if (process.argv[2] === 'serve') {
  const [, , , name, port, ...upstreams] = process.argv;
  await contenders[name](Number(port), upstreams);
  process.on('disconnect', () => process.exit(0));
} else if (missing('nginx').length > 0) console.log(`skipped: needs ${missing('nginx').join(', ')}`);
else await main(Object.keys(contenders));

async function main(names) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-gateway-bench-'));
  const children = [];
  try {
    const [a, b, ...ports] = await freePorts(2 + names.length);
    const upstreams = [`http://127.0.0.1:${a}`, `http://127.0.0.1:${b}`];
    const script = join(folder, 'new-urls.lua');
    writeFileSync(script, newUrls());
    writeFileSync(join(folder, 'nginx.conf'), nginx(folder, a, b));
    children.push(start(1, pathOf('nginx'), ['-c', join(folder, 'nginx.conf')]));
    for (const upstream of upstreams) await listens(upstream);
    const running = names.map((name, i) => {
      const args = [import.meta.filename, 'serve', name, String(ports[i]), ...upstreams];
      const child = start(0, process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      children.push(child);
      return { name, pid: child.pid, url: `http://127.0.0.1:${ports[i]}`, samples: [] };
    });
    for (const { url } of running) await listens(url);
    for (const each of running) await checkChain(each);
    let loads = 0;
    const measure = ({ pid, url }, forSeconds) => {
      loads += 1;
      const headers = [`x-api-key: ${key}`];
      return load(pid, url, { seconds: forSeconds, headers, script: [script, String(loads)] });
    };
    for (const each of running) await measure(each, 2);
    for (let round = 0; round < rounds; round += 1) {
      for (let i = 0; i < running.length; i += 1) {
        const each = running[(i + round) % running.length];
        each.samples.push(await measure(each, seconds));
      }
    }
    report(running);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each does what it is measured for. */
async function checkChain({ name, url }) {
  const ask = async (headers) => {
    const response = await fetch(`${url}/orders/check?${name.length}`, { headers });
    return [response.status, await response.text(), response.headers.has('ratelimit')];
  };
  const limited = /limit|cache|chain|express/.test(name);
  const expected = JSON.stringify([200, '{"hello":"world"}', limited]);
  const seen = JSON.stringify(await ask({ 'x-api-key': key }));
  if (seen !== expected) throw new Error(`${name} answered ${seen}`);
  const guarded = name !== base && !name.endsWith('a route');
  const [status] = await ask({ 'x-api-key': 'another' });
  if ((status === 401) !== guarded) throw new Error(`${name} answered another key with ${status}`);
}

function report(running) {
  console.log(
    `\nA request with 17 bytes for an answer (node ${process.version}, 64 connections, least of ${rounds} rounds; CPU time of the server)`,
  );
  // Neighbours on the machine only ever add to what a request takes.
  const least = ({ samples }) => Math.min(...samples.map(({ us }) => us));
  const alone = least(running[0]);
  for (const each of running) {
    const { name, samples } = each;
    each.us = least(each);
    each.ratio = each.us / alone;
    const most = Math.max(...samples.map(({ us }) => us)).toFixed(1);
    const rps = Math.max(...samples.map((sample) => sample.rps)).toFixed(0);
    const trouble = samples.find((sample) => sample.trouble !== undefined)?.trouble ?? '';
    console.log(
      `  ${name.padEnd(32)} ${each.us.toFixed(1).padStart(7)} us  ${each.ratio.toFixed(2).padStart(6)} x  (.. ${most} us, at best ${rps} /s)   ${trouble}`,
    );
  }
  const chain = running.find(({ name }) => name === whole);
  const added = (chain.ratio - 1) * 100;
  goal('the whole chain adds <= 15 % to the proxy alone', `${added.toFixed(1)} %`, added <= 15);
  for (const { name, us } of running.filter((each) => /^(fast-gateway|express)/.test(each.name))) {
    goal(`less than ${name}`, `${(chain.us / us).toFixed(2)} x`, chain.us < us);
  }
}

function nginx(folder, a, b) {
  return `daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000; default_type application/json;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server { listen 127.0.0.1:${a} backlog=1024; listen 127.0.0.1:${b} backlog=1024;
    location / { add_header cache-control max-age=60; return 200 '{"hello":"world"}'; } } }`;
}

/** Asks for a URL that nobody has asked for, each time. */
function newUrls() {
  return `local prefix
local count = 0
function init(args) prefix = "/orders/" .. args[1] .. "-" end
function request()
  count = count + 1
  return wrk.format(nil, prefix .. count)
end
`;
}
