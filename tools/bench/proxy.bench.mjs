// Reverse proxies side by side: CPU time per request, since on a shared machine throughput says more about the
// neighbours. Every proxy is a process of its own on one core; nginx as the upstream and wrk share the other. Rounds are
// interleaved. Needs nginx, haproxy and wrk (Debian: apt-get install nginx-light haproxy wrk) and Linux's /proc.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goal } from './harness.mjs';
import { freePorts, listens, load, median, missing, pathOf, residentMb, start } from './servers.mjs';

const rounds = 3;
const seconds = 2;
const connections = 64;
const warned = new Set();

/** What each Node contender does in its own process: listens on `port` in front of the upstreams. */
const contenders = {
  async weir(port, upstreams) {
    const [{ createServer: serve }, { weir }, { createPool }, { proxy }] = await Promise.all([
      import('node:http'),
      import('../../packages/http/dist/node.js'),
      import('../../packages/load-balancer/dist/index.js'),
      import('../../packages/proxy/dist/index.js'),
    ]);
    const pool = createPool(upstreams, { outliers: { consecutiveFailures: 5 } });
    serve(weir(proxy(pool)).wrap(() => {})).listen(port);
  },
  /** The least that undici's dispatch can do: no balancing, no rules for headers, no deadlines, no retries. */
  async 'undici dispatch, bare'(port, [upstream]) {
    const [{ createServer: serve }, { Pool }] = await Promise.all([
      import('node:http'),
      import('../../packages/proxy/node_modules/undici/index.js').then((found) => found.default),
    ]);
    const pool = new Pool(upstream);
    serve((req, res) => {
      let controller;
      pool.dispatch(
        {
          path: req.url,
          method: req.method,
          headers: req.rawHeaders.filter((_, i, all) => !/^(host|connection)$/i.test(all[i & ~1])),
        },
        {
          onRequestStart(given) {
            controller = given;
          },
          onResponseStart(_controller, status, headers) {
            delete headers.connection;
            delete headers['keep-alive'];
            delete headers['transfer-encoding'];
            for (const name in headers) res.setHeader(name, headers[name]);
            res.statusCode = status;
            this.left = Number(headers['content-length'] ?? Number.NaN);
          },
          onResponseData(_controller, chunk) {
            this.left -= chunk.length;
            if (this.left === 0) res.end(chunk);
            else if (!res.write(chunk)) {
              controller.pause();
              res.once('drain', () => controller.resume());
            }
          },
          onResponseEnd() {
            if (!res.writableEnded) res.end();
          },
          onResponseError(_controller, error) {
            res.destroy(error);
          },
        },
      );
    }).listen(port);
  },
  async 'http-proxy-3'(port, [target]) {
    const [{ createServer: serve, Agent }, { createProxyServer }] = await Promise.all([
      import('node:http'),
      import('http-proxy-3'),
    ]);
    // By default it opens a connection for each request.
    const proxy = createProxyServer({ target, xfwd: true, agent: new Agent({ keepAlive: true }) });
    serve((req, res) => proxy.web(req, res)).listen(port);
  },
  async httpxy(port, [target]) {
    const [{ createServer: serve, Agent }, { createProxyServer }] = await Promise.all([
      import('node:http'),
      import('httpxy'),
    ]);
    const proxy = createProxyServer({ target, xfwd: true, agent: new Agent({ keepAlive: true }) });
    serve((req, res) => void proxy.web(req, res)).listen(port);
  },
  async '@fastify/http-proxy'(port, [upstream]) {
    const [{ default: fastify }, { default: httpProxy }] = await Promise.all([
      import('fastify'),
      import('@fastify/http-proxy'),
    ]);
    const app = fastify();
    app.register(httpProxy, { upstream });
    await app.listen({ port });
  },
  async 'hono/proxy'(port, [upstream]) {
    const [{ Hono }, { proxy }, { serve }] = await Promise.all([
      import('hono'),
      import('hono/proxy'),
      import('@hono/node-server'),
    ]);
    const app = new Hono();
    app.all('*', (c) => proxy(`${upstream}${c.req.path}`, { headers: c.req.header(), method: c.req.method }));
    serve({ fetch: app.fetch, port, hostname: '127.0.0.1' });
  },
};

if (process.argv[2] === 'serve') {
  const [, , , name, port, ...upstreams] = process.argv;
  await contenders[name](Number(port), upstreams);
  process.on('disconnect', () => process.exit(0));
} else await main();

async function main() {
  const tools = missing('nginx', 'haproxy');
  if (tools.length > 0 || process.platform !== 'linux') {
    console.log(`skipped: needs ${tools.join(', ') || 'Linux'}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'weir-proxy-bench-'));
  const children = [];
  try {
    const [a, b, ...ports] = await freePorts(2 + 2 + Object.keys(contenders).length);
    const upstreams = [`http://127.0.0.1:${a}`, `http://127.0.0.1:${b}`];
    writeFileSync(join(folder, 'small'), '{"hello":"world"}');
    writeFileSync(join(folder, 'large'), 'x'.repeat(64 * 1024));
    writeFileSync(join(folder, 'huge'), '');
    truncateSync(join(folder, 'huge'), 1 << 30);
    children.push(
      start(1, pathOf('nginx'), ['-c', writeNginx(folder, 'upstream', nginxUpstream(folder, a, b))]),
    );
    for (const upstream of upstreams) await listens(`${upstream}/small`);
    const running = [];
    const launch = (name, command, args, options) => {
      const child = start(0, command, args, options);
      children.push(child);
      running.push({ name, pid: child.pid, port: ports[running.length], small: [], large: [] });
    };
    launch('nginx', pathOf('nginx'), ['-c', writeNginx(folder, 'proxy', nginxProxy(ports[0], a, b))]);
    writeFileSync(join(folder, 'haproxy.cfg'), haproxy(ports[1], a, b));
    launch('haproxy', pathOf('haproxy'), ['-db', '-f', join(folder, 'haproxy.cfg')]);
    for (const name of Object.keys(contenders)) {
      const args = [import.meta.filename, 'serve', name, String(ports[running.length]), ...upstreams];
      launch(name, process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    }
    for (const { port } of running) await listens(`http://127.0.0.1:${port}/small`);
    for (const each of running) for (const size of ['small', 'large']) await measure(each, size, 1);
    for (let round = 0; round < rounds; round += 1) {
      for (const size of ['small', 'large']) {
        for (let i = 0; i < running.length; i += 1) {
          const each = running[(i + round) % running.length];
          each[size].push(await measure(each, size, seconds));
        }
      }
    }
    report(running);
    await stalledClient(running.find(({ name }) => name === 'weir'));
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What one load has cost a proxy, and what wrk saw. Trouble is told once for each. */
async function measure({ pid, port, name }, size, forSeconds) {
  const sample = await load(pid, `http://127.0.0.1:${port}/${size}`, { seconds: forSeconds, connections });
  if (sample.trouble !== undefined && !warned.has(name)) {
    warned.add(name);
    console.log(`  note: ${name}: ${sample.trouble}`);
  }
  return sample;
}

function report(running) {
  for (const size of ['small', 'large']) {
    const [nginx] = running;
    console.log(
      `\n${size === 'small' ? '17 bytes' : '64 KB'}, ${connections} connections (node ${process.version}, median of ${rounds} rounds; CPU time of the proxy)`,
    );
    for (const each of running) {
      each.ratio = median(each[size].map(({ us }, round) => nginx[size][round].us / us));
      const us = median(each[size].map((sample) => sample.us));
      const rps = median(each[size].map((sample) => sample.rps));
      console.log(
        `  ${each.name.padEnd(22)} ${us.toFixed(1).padStart(8)} us a request   ${each.ratio.toFixed(2).padStart(5)} of nginx   ${rps.toFixed(0).padStart(6)} requests/s   p99 ${each[size].map(({ p99 }) => p99).join(' ')}`,
      );
    }
    const ratio = (name) => running.find((each) => each.name === name).ratio;
    const against = (name, wanted) => {
      const seen = ratio('weir') / ratio(name);
      goal(`${size}: >= ${wanted} x ${name}`, `${seen.toFixed(2)} x`, seen >= wanted);
    };
    const least = size === 'small' ? 0.28 : 0.42;
    goal(`${size}: >= ${least} of nginx`, ratio('weir').toFixed(2), ratio('weir') >= least);
    if (size === 'large') continue;
    against('httpxy', 1.9);
    against('http-proxy-3', 1.9);
    against('@fastify/http-proxy', 1.25);
    against('hono/proxy', 3.5);
    const own = ratio('undici dispatch, bare') / ratio('weir');
    goal('small: <= 1.15 x the time of bare undici dispatch', `${own.toFixed(2)} x`, own <= 1.15);
  }
}

/** A client asks for 1 GB and reads nothing for a while: what waits for it must wait in the upstream. */
async function stalledClient({ pid, port }) {
  const before = residentMb(pid);
  let peak = before;
  let received = 0;
  const socket = connect(port, '127.0.0.1', () =>
    socket.write('GET /huge HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'),
  );
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  for (let i = 0; i < 20; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    peak = Math.max(peak, residentMb(pid));
  }
  const stalled = peak - before;
  socket.on('data', (chunk) => (received += chunk.length)).resume();
  const timer = setInterval(() => (peak = Math.max(peak, residentMb(pid))), 50);
  await new Promise((resolve) => socket.on('close', resolve));
  clearInterval(timer);
  console.log(
    `\n1 GB to a client that stalls: + ${stalled.toFixed(1)} MB while it did, + ${(peak - before).toFixed(1)} MB at most while it read all (${(received / 2 ** 30).toFixed(2)} GB)`,
  );
  goal('1 GB to a stalled client adds < 32 MB', `${stalled.toFixed(1)} MB`, stalled < 32);
}

function writeNginx(folder, name, http) {
  const file = join(folder, `${name}.conf`);
  writeFileSync(
    file,
    `daemon off; master_process off; worker_processes 1; pid ${folder}/${name}.pid; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000; sendfile on; tcp_nopush on;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  ${http} }`,
  );
  return file;
}

function nginxUpstream(folder, a, b) {
  return `server { listen 127.0.0.1:${a} backlog=1024; listen 127.0.0.1:${b} backlog=1024; root ${folder}; default_type application/json; open_file_cache max=10; }`;
}

function nginxProxy(port, a, b) {
  return `upstream pool { server 127.0.0.1:${a}; server 127.0.0.1:${b}; keepalive ${connections}; keepalive_requests 1000000; }
  server { listen 127.0.0.1:${port} backlog=1024; location / { proxy_pass http://pool; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; } }`;
}

function haproxy(port, a, b) {
  return `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  balance leastconn
  server a 127.0.0.1:${a}
  server b 127.0.0.1:${b}
`;
}
