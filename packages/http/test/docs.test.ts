import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import 'reflect-metadata';
import { createAdaptorServer } from '@hono/node-server';
import { Controller, Get, Logger, Module } from '@nestjs/common';
import { problem } from '@weir/core';
import { toNodeHandler } from 'h3';
import { describe, expect, test } from 'vitest';

const docs = readFileSync(join(import.meta.dirname, '../../../docs/frameworks.md'), 'utf8');
const blocks = new Map(
  [...docs.matchAll(/^```ts (\w+)\n([\s\S]*?)^```$/gm)].map(([, name, code]) => [name, code]),
);

/** Lets two requests pass, as the limiter of the page does. */
function twoPass() {
  let left = 2;
  return { name: 'limit', enter: () => (left-- > 0 ? undefined : problem(429)) };
}

class Hello {
  hello(): string {
    return 'hello';
  }
}
Controller()(Hello);
Get('/')(Hello.prototype, 'hello', Object.getOwnPropertyDescriptor(Hello.prototype, 'hello')!);
Logger.overrideLogger(false);
class AppModule {}
Module({ controllers: [Hello] })(AppModule);

/** Runs a block of the page as a module would, and gives what it declared. */
async function execute<T = never>(code: string, result: string): Promise<T> {
  const imports: string[] = [];
  const body = code.replace(/^import (?:\{ (\w+) \}|(\w+)) from '([^']+)';$/gm, (_, named, whole, from) => {
    imports.push(`const { ${named ?? `default: ${whole}`} } = await load('${from}');`);
    return '';
  });
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...args: unknown[]) => Promise<T>;
  const run = new AsyncFunction(
    'load',
    'policies',
    'AppModule',
    `${imports.join('\n')}\n${body}\nreturn ${result};`,
  );
  return run(
    (from: string) => import(from.startsWith('@weir/http/') ? `../src/${from.slice(11)}.ts` : from),
    twoPass(),
    AppModule,
  );
}

const listener = (result: string, make: (made: never) => RequestListener) => async (code: string) =>
  createServer(make(await execute(code, result)));

const web = (fetch: (request: Request) => Response | Promise<Response>): Server =>
  createAdaptorServer({ fetch }) as Server;

const servers: { readonly [name: string]: (code: string) => Promise<Server> } = {
  express: listener('app', (app) => app),
  koa: listener('app', (app: { callback(): RequestListener }) => app.callback()),
  h3: listener('app', (app) => toNodeHandler(app) as RequestListener),
  node: (code) => execute(code, 'server'),
  hono: async (code) => web((await execute<{ fetch: never }>(code, 'app')).fetch),
  fetch: async (code) => web(await execute(code, 'handler')),
  elysia: async (code) => {
    const app = await execute<{ handle(request: Request): Promise<Response> }>(code, 'app');
    return web((request) => app.handle(request));
  },
  async fastify(code) {
    const app = await execute<{ ready(): Promise<void>; server: Server }>(code, 'app');
    await app.ready();
    return app.server;
  },
  async nest(code) {
    const app = await execute<{ init(): Promise<void>; getHttpServer(): Server }>(code, 'app');
    await app.init();
    return app.getHttpServer();
  },
};

describe('docs/frameworks.md', () => {
  test('has a block for each adapter', () => {
    const { exports } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
    const adapters = Object.keys(exports).filter((subpath) => !/^\.\/(testing|package\.json)$/.test(subpath));
    expect([...blocks.keys()].toSorted()).toEqual(adapters.map((subpath) => subpath.slice(2)).toSorted());
  });

  test.each(Object.keys(servers))('the block for %s works as it stands', async (name) => {
    const server = await servers[name]!(blocks.get(name)!);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const statuses: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const response = await fetch(url);
      statuses.push(response.status);
      expect(await response.text()).toContain(response.ok ? 'hello' : 'Too Many Requests');
    }
    expect(statuses).toEqual([200, 200, 429]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
