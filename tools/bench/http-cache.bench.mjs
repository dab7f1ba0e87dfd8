// The HTTP response cache: what a hit costs the server, beside the floors of each framework and other caches. Every
// contender is a process of its own; wrk asks for one 747-byte JSON document over 32 connections, and the CPU time of
// the server (from /proc) is divided by the requests it answered. Needs Linux and wrk; nginx if it is there.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goal } from './harness.mjs';
import { freePorts, listens, load, missing, pathOf, start } from './servers.mjs';

const seconds = 1;
const rounds = Number(process.env.ROUNDS ?? 9);
const body = Buffer.from(
  JSON.stringify({
    items: Array.from({ length: 16 }, (_, id) => ({ id, name: `item ${id}`, price: id * 3 })),
  }).padEnd(747),
);
const json = { 'content-type': 'application/json', 'cache-control': 'max-age=600' };

const weirOn = async (framework) => {
  const { weir } = await import(`../../packages/http/dist/${framework}.js`);
  const { cacheResponses } = await import('../../packages/cache/dist/http.js');
  return weir(cacheResponses());
};
const express = async (middleware) => {
  const { default: make } = await import('express');
  const app = make();
  app.disable('x-powered-by');
  app.disable('etag');
  if (middleware !== undefined) app.use(middleware);
  app.get('/', (_req, res) => res.set(json).send(body));
  return createServer(app);
};
const hono = async (middleware) => {
  const { Hono } = await import('hono');
  const { createAdaptorServer } = await import('@hono/node-server');
  const app = new Hono();
  if (middleware !== undefined) app.use(middleware);
  app.get('/', (c) => c.body(body, 200, json));
  return createAdaptorServer({ fetch: app.fetch });
};
const fastify = async (plugin) => {
  const { default: make } = await import('fastify');
  const app = make();
  if (plugin !== undefined) app.register(plugin);
  app.get('/', (_request, reply) => reply.headers(json).send(body));
  await app.ready();
  return app.server;
};
const hello = (_req, res) => res.writeHead(200, json).end(body);

/** Name to a server; each runs alone in its process. */
const servers = {
  'node:http, hello': () => createServer(hello),
  'node:http + lru-cache of buffers': async () => {
    const { LRUCache } = await import('lru-cache');
    const cache = new LRUCache({ max: 1000, ttl: 600_000 });
    return createServer((req, res) => {
      const hit = cache.get(req.url);
      if (hit !== undefined) return res.writeHead(200, hit.headers).end(hit.body);
      cache.set(req.url, { headers: { ...json, 'content-length': body.length }, body });
      return hello(req, res);
    });
  },
  'node:http + weir, hit': async () => createServer((await weirOn('node')).wrap(hello)),
  'express, hello': () => express(),
  'express + weir, hit': async () => express(await weirOn('express')),
  'express + apicache, hit': async () => {
    const { default: apicache } = await import('apicache');
    return express(apicache.middleware('10 minutes'));
  },
  'hono, hello': () => hono(),
  'hono + weir, hit': async () => hono(await weirOn('hono')),
  'fastify, hello': () => fastify(),
  'fastify + weir, hit': async () => fastify(await weirOn('fastify')),
  'h3, hello': async () => h3((handler) => handler),
  'h3 + ocache, hit': async () => {
    const { defineCachedHandler } = await import('ocache');
    return h3((handler) => defineCachedHandler(handler, { maxAge: 600 }));
  },
};

async function h3(wrap) {
  const { H3, toNodeHandler } = await import('h3');
  const app = new H3();
  app.get(
    '/',
    wrap(() => new Response(body, { headers: json })),
  );
  return createServer(toNodeHandler(app));
}

if (process.argv[2] === 'serve') {
  const server = await servers[process.argv[3]]();
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.on('disconnect', () => process.exit());
} else {
  await main();
}

async function main() {
  if (missing().length > 0 || process.platform !== 'linux') {
    console.log(`skipped: needs ${missing().join(', ') || 'Linux'}`);
    return;
  }
  const running = [];
  try {
    for (const name of Object.keys(servers)) running.push(await startNode(name));
    const nginx = await startNginx(running.find(({ name }) => name === 'node:http, hello').port);
    if (nginx !== undefined) running.push(nginx);
    for (const each of running) await ask(each);
    const samples = new Map(running.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (let i = 0; i < running.length; i += 1) {
        const each = running[(i + round) % running.length];
        samples.get(each.name).push(await ask(each));
      }
    }
    report(samples);
  } finally {
    for (const { stop } of running) stop();
  }
}

async function startNode(name) {
  const args = [import.meta.filename, 'serve', name];
  const child = start(0, process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [port] = await once(child, 'message');
  return { name, pid: child.pid, port, stop: () => child.kill('SIGKILL') };
}

/** nginx as one process, in front of the plain Node server, which it asks once. */
async function startNginx(originPort) {
  const binary = pathOf('nginx');
  if (binary === undefined) {
    console.log('  no nginx here: left out');
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'weir-nginx-'));
  const [port] = await freePorts(1);
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
    events { worker_connections 256; }
    http {
      access_log off; keepalive_requests 1000000000;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
      uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
      proxy_cache_path ${folder}/cache keys_zone=c:1m;
      server {
        listen 127.0.0.1:${port};
        location / { proxy_pass http://127.0.0.1:${originPort}; proxy_cache c; proxy_cache_lock on; }
      }
    }`,
  );
  const child = start(0, binary, ['-c', join(folder, 'nginx.conf'), '-p', folder]);
  const stop = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  await listens(`http://127.0.0.1:${port}/`);
  return { name: 'nginx proxy_cache, hit', pid: child.pid, port, stop };
}

/** Asks for a while; nothing but answers with 2xx will do. */
async function ask({ name, pid, port }) {
  const { trouble, ...sample } = await load(pid, `http://127.0.0.1:${port}/`, { seconds, connections: 32 });
  if (trouble !== undefined) throw new Error(`${name}: ${trouble}`);
  return sample;
}

function report(samples) {
  // Neighbours on the machine only ever add to the CPU time that a request takes: the least of the rounds is the
  // steadiest figure.
  const least = (name) => Math.min(...samples.get(name).map(({ us }) => us));
  const ratio = (name, base) => least(name) / least(base);
  const floor = 'node:http + lru-cache of buffers';
  const width = Math.max(...[...samples.keys()].map((name) => name.length));
  console.log(
    `\nServer CPU per request (node ${process.version}, least of ${rounds} rounds; x = times ${floor})`,
  );
  for (const [name, own] of samples) {
    const us = least(name).toFixed(1);
    const most = Math.max(...own.map((each) => each.us)).toFixed(1);
    const rate = Math.max(...own.map((each) => each.rps)).toFixed(0);
    console.log(
      `  ${name.padEnd(width)}  ${us.padStart(6)} us  ${ratio(name, floor).toFixed(2).padStart(5)} x  (.. ${most} us, at best ${rate} /s)`,
    );
  }
  console.log(
    '  hono/cache                        left out: it needs the Cache API, which Node does not have',
  );
  const share = 1 / ratio('node:http + weir, hit', floor);
  goal('a hit on node:http >= 0.85 of node:http + lru-cache of buffers', share.toFixed(2), share >= 0.85);
  for (const [framework, base] of [
    ['node:http', 'node:http, hello'],
    ['express', 'express, hello'],
    ['hono', 'hono, hello'],
    ['fastify', 'fastify, hello'],
  ]) {
    const times = ratio(`${framework} + weir, hit`, base);
    goal(
      `a hit on ${framework} takes no more CPU than a handler that says the same`,
      `${times.toFixed(2)} x`,
      times <= 1,
    );
  }
}
