import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import 'reflect-metadata';
import { createAdaptorServer } from '@hono/node-server';
import { All, Controller, Module, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Elysia } from 'elysia';
import express5 from 'express';
// @ts-expect-error -- an alias of Express 4, which carries no types; Express 5's fit what is used here.
import express4 from 'express4';
import fastifyApp from 'fastify';
import { H3, toNodeHandler } from 'h3';
import { Hono } from 'hono';
import Koa from 'koa';
import * as elysia from '../src/elysia.ts';
import * as express from '../src/express.ts';
import * as fastify from '../src/fastify.ts';
import * as fetch from '../src/fetch.ts';
import * as h3 from '../src/h3.ts';
import * as hono from '../src/hono.ts';
import * as koa from '../src/koa.ts';
import * as nest from '../src/nest.ts';
import type { HttpOptions, Policies } from '../src/node.ts';
import * as node from '../src/node.ts';
import { type HostUnderTest, nodeRoutes, type Running, webRoutes } from '../src/testing.ts';

async function listen(server: Server): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections?.();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function nodeHandler(mounts: readonly Policies[], options: HttpOptions) {
  const [first, ...rest] = mounts.map((policies) => node.weir(policies, options));
  let handler: (req: never, res: never) => unknown = nodeRoutes as never;
  for (const mount of rest.reverse()) {
    const inner = handler;
    handler = ((req: never, res: never) => mount(req, res, () => inner(req, res))) as never;
  }
  return first!.wrap(handler as never);
}

function expressApp(express: typeof express5, mounts: readonly Policies[], options: HttpOptions) {
  const app = express();
  app.disable('x-powered-by');
  for (const policies of mounts) app.use(expressAdapter.weir(policies, options));
  app.get('/throw-async', (_req, _res, next) => next(new Error('boom')));
  app.use((req, res) => void nodeRoutes(req, res));
  // The application's own error page; Express's default prints the stack to stderr.
  app.use((_error: unknown, _req: unknown, res: import('express').Response, _next: unknown) => {
    if (!res.headersSent) res.status(500).send('oops');
  });
  return app;
}
const expressAdapter = express;

function honoApp(mounts: readonly Policies[], options: HttpOptions): Hono {
  const app = new Hono();
  for (const policies of mounts) app.use(hono.weir(policies, options));
  app.all('*', (c) => webRoutes(c.req.raw));
  app.onError((_error, c) => c.text('oops', 500));
  return app;
}

/** The routes, but for those that throw. */
const paths = [
  'hello',
  'async',
  'redirect',
  'empty',
  'unchanged',
  'own',
  'stream',
  'drip',
  'hang',
  'seen',
  'echo',
];

async function fastifyServer(mounts: readonly Policies[], options: HttpOptions): Promise<Running> {
  const app = fastifyApp();
  for (const policies of mounts) app.register(fastify.weir(policies as never, options));
  // Bodies reach the handler as they come; Fastify's own parsers would have read them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const path of paths) {
    app.all(`/${path}`, async (request, reply) => {
      if (path === 'own') return reply.headers({ 'x-shared': 'handler', 'x-own': 'handler' }).send('own');
      if (path === 'hello' || path === 'async') return 'hello';
      if (path === 'redirect') return reply.redirect('/hello', 302);
      reply.hijack();
      nodeRoutes(request.raw, reply.raw);
      return undefined;
    });
  }
  app.get('/throw', () => {
    throw new Error('boom');
  });
  app.get('/throw-async', async () => Promise.reject(new Error('boom')));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    port: (app.server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

function koaApp(mounts: readonly Policies[], options: HttpOptions): Koa {
  const app = new Koa();
  app.silent = true;
  for (const policies of mounts) app.use(koa.weir(policies as never, options));
  app.use(async (ctx) => {
    if (ctx.path.startsWith('/throw')) throw new Error('boom');
    if (ctx.path === '/own') {
      ctx.set({ 'x-shared': 'handler', 'x-own': 'handler' });
      ctx.body = 'own';
    } else if (ctx.path === '/hello' || ctx.path === '/async') ctx.body = 'hello';
    else if (ctx.path === '/redirect') ctx.redirect('/hello');
    else if (ctx.path === '/missing') return;
    else {
      ctx.respond = false;
      nodeRoutes(ctx.req, ctx.res);
    }
  });
  return app;
}

/** A controller, decorated by hand: the test runner need not know decorators. */
class Everything {
  answer(
    req: { raw?: import('node:http').IncomingMessage },
    res: { raw?: import('node:http').ServerResponse },
  ): unknown {
    return nodeRoutes((req.raw ?? req) as never, (res.raw ?? res) as never);
  }
}
Controller()(Everything);
All(paths.map((path) => `/${path}`).concat('/throw', '/throw-async'))(
  Everything.prototype,
  'answer',
  Object.getOwnPropertyDescriptor(Everything.prototype, 'answer')!,
);
Req()(Everything.prototype, 'answer', 0);
Res()(Everything.prototype, 'answer', 1);
class App {}
Module({ controllers: [Everything] })(App);

async function nestServer(
  platform: ExpressAdapter | FastifyAdapter,
  mounts: readonly Policies[],
  options: HttpOptions,
): Promise<Running> {
  const app = await NestFactory.create(App, platform, { logger: false, bodyParser: false });
  for (const policies of mounts) app.use(nest.weir(policies as never, options));
  if (platform instanceof FastifyAdapter) {
    platform.getInstance().addContentTypeParser('*', (_request, _payload, done) => done(null));
  }
  await app.listen(0, '127.0.0.1');
  const server = app.getHttpServer() as Server;
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await app.close();
    },
  };
}

function elysiaApp(
  mounts: readonly Policies[],
  options: HttpOptions,
): { handle(request: Request): Promise<Response> } {
  let app = new Elysia();
  // The first mounted wraps everything that is mounted later.
  for (const policies of mounts) app = app.use(elysia.weir(policies as never, options)) as never;
  return app
    .onError(() => new Response('oops', { status: 500 }))
    .all('/*', ({ request }) => webRoutes(request), { parse: 'none' }) as never;
}

function h3App(mounts: readonly Policies[], options: HttpOptions): H3 {
  const app = new H3({ silent: true });
  for (const policies of mounts) app.use(h3.weir(policies as never, options));
  app.all('/hello', () => 'hello');
  app.all('/async', async () => 'hello');
  app.all('/**', (event) => webRoutes(event.req));
  return app;
}

/** A web-standard handler on node:http without any help but ours: what a fetch host does, in a few lines. */
function serveFetch(handler: (request: Request) => Promise<Response>): Promise<Running> {
  return listen(
    createServer(async (req, res) => {
      const controller = new AbortController();
      res.on('close', () => {
        if (!res.writableFinished) controller.abort();
      });
      const hasBody = req.method !== 'GET' && req.method !== 'HEAD';
      const chunks: Buffer[] = [];
      if (hasBody) for await (const chunk of req) chunks.push(chunk as Buffer);
      const request = new Request(`http://${req.headers.host}${req.url}`, {
        method: req.method ?? 'GET',
        headers: Object.entries(req.headers).map(
          ([name, value]) => [name, String(value)] as [string, string],
        ),
        signal: controller.signal,
        ...(hasBody ? { body: Buffer.concat(chunks) } : {}),
      });
      let response: Response;
      try {
        response = await handler(request);
      } catch {
        response = new Response('oops', { status: 500 });
      }
      if (res.destroyed) return;
      res.writeHead(response.status, [...response.headers].flat());
      if (response.body === null || req.method === 'HEAD') {
        await response.body?.cancel();
        res.end();
        return;
      }
      const reader = response.body.getReader();
      res.on('close', () => void reader.cancel().catch(() => {}));
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          res.write(value);
        }
        res.end();
      } catch {
        res.destroy();
      }
    }),
  );
}

export const hosts: readonly HostUnderTest[] = [
  {
    name: 'node',
    start: (mounts, options) => listen(createServer(nodeHandler(mounts, options))),
  },
  {
    name: 'node http2',
    http2: true,
    start: (mounts, options) =>
      listen(createHttp2Server(nodeHandler(mounts, options) as never) as unknown as Server),
  },
  {
    name: 'express 5',
    start: (mounts, options) => listen(createServer(expressApp(express5, mounts, options))),
  },
  {
    name: 'express 4',
    start: (mounts, options) =>
      listen(createServer(expressApp(express4 as unknown as typeof express5, mounts, options))),
  },
  { name: 'fastify', start: (mounts, options) => fastifyServer(mounts, options) },
  {
    name: 'koa',
    start: (mounts, options) => listen(createServer(koaApp(mounts, options).callback())),
  },
  {
    name: 'h3 on node',
    start: (mounts, options) => listen(createServer(toNodeHandler(h3App(mounts, options)) as never)),
  },
  {
    name: 'h3 on fetch',
    cannot: ['error-headers', 'address'],
    start(mounts, options) {
      const app = h3App(mounts, options);
      return serveFetch(async (request) => app.fetch(request));
    },
  },
  {
    name: 'nest on express',
    start: (mounts, options) => nestServer(new ExpressAdapter(), mounts, options),
  },
  {
    name: 'nest on fastify',
    start: (mounts, options) => nestServer(new FastifyAdapter(), mounts, options),
  },
  {
    name: 'elysia on fetch',
    cannot: ['address'],
    start(mounts, options) {
      const app = elysiaApp(mounts, options);
      return serveFetch((request) => app.handle(request));
    },
  },
  {
    name: 'hono on node',
    start: (mounts, options) =>
      listen(createAdaptorServer({ fetch: honoApp(mounts, options).fetch }) as Server),
  },
  {
    name: 'hono on fetch',
    cannot: ['address'],
    start(mounts, options) {
      const app = honoApp(mounts, options);
      return serveFetch(async (request) => app.fetch(request));
    },
  },
  {
    name: 'fetch',
    cannot: ['error-headers', 'address'],
    start(mounts, options) {
      const [first, ...rest] = mounts.map((policies) => fetch.weir(policies, options));
      let handler: (request: Request) => Promise<Response> = webRoutes;
      for (const mount of rest.reverse()) {
        const inner = handler;
        handler = (request) => mount(request, inner);
      }
      return serveFetch(first!.wrap(handler));
    },
  },
];
