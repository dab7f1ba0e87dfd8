import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Policy, Reply } from '@weir/core';
import { weir as onExpress } from '@weir/http/express';
import { weir as onFastify } from '@weir/http/fastify';
import { weir as onHono } from '@weir/http/hono';
import { weir as onNode } from '@weir/http/node';
import { hosts as adapters } from '../../../http/test/hosts.ts';

/** A request as the origin sees it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/** What the origin says. */
export interface Said {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** In pieces, if it is a list. */
  readonly body?: string | Uint8Array | readonly string[];
  /** The connection breaks instead of an end. */
  readonly cut?: boolean;
}

export type Origin = (request: Seen) => Said | Promise<Said>;

export interface Running extends AsyncDisposable {
  readonly port: number;
}

export interface Host {
  readonly name: string;
  readonly http2?: boolean;
  start(policies: readonly Policy[], origin: Origin): Promise<Running>;
}

// The frameworks are dependencies of the adapters' package, where they are tried.
const framework = createRequire(new URL('../../../http/package.json', import.meta.url));

export async function listen(server: Server): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The origin as a node:http handler. */
export async function answer(origin: Origin, req: IncomingMessage, res: ServerResponse): Promise<void> {
  // Express hides a mount point from `url`.
  const url = (req as { originalUrl?: string }).originalUrl ?? req.url ?? '';
  const {
    status = 200,
    headers = {},
    body = '',
    cut = false,
  } = await origin({
    method: req.method ?? '',
    url,
    headers: { ...req.headers },
  });
  res.writeHead(status, headers as Record<string, string | string[]>);
  if (Array.isArray(body)) for (const piece of body) res.write(piece);
  else if (cut) res.write(body as string);
  if (cut) setImmediate(() => res.destroy(new Error('cut')));
  else res.end(Array.isArray(body) ? undefined : (body as string));
}

/** The origin as a policy: what a proxy is. */
export function originPolicy(origin: Origin): Policy {
  return {
    name: 'origin',
    async enter(x): Promise<Reply> {
      const headers: Record<string, string> = {};
      const received = x.body?.requestHeaders() ?? [];
      for (let i = 0; i < received.length; i += 2) headers[received[i] as string] = received[i + 1] as string;
      const said = await origin({ method: x.method, url: x.url, headers });
      const pairs = Object.entries(said.headers ?? {}).flatMap(([name, value]) =>
        [value].flat().flatMap((each) => [name, each]),
      );
      const body = Array.isArray(said.body) ? said.body.join('') : (said.body as string | undefined);
      return { status: said.status ?? 200, headers: pairs, body: body ?? '', kind: 'ok' };
    },
  };
}

export const node: Host = {
  name: 'node',
  start: (policies, origin) =>
    listen(
      createServer(
        onNode(policies).wrap((req, res) => answer(origin, req as IncomingMessage, res as ServerResponse)),
      ),
    ),
};

/** Frameworks whose own handlers answer, in their own words. */
export const frameworks: readonly Host[] = [
  node,
  {
    name: 'express',
    start(policies, origin) {
      const app = framework('express')();
      app.disable('x-powered-by');
      app.disable('etag');
      app.use(onExpress(policies));
      app.use(async (req: IncomingMessage & { originalUrl: string }, res: ExpressResponse) => {
        const {
          status = 200,
          headers = {},
          body = '',
        } = await origin({
          method: req.method ?? '',
          url: req.originalUrl,
          headers: { ...req.headers },
        });
        res.status(status).set(headers);
        res.send(Array.isArray(body) ? body.join('') : body);
      });
      return listen(createServer(app as RequestListener));
    },
  },
  {
    name: 'fastify',
    async start(policies, origin) {
      const app = framework('fastify')();
      app.register(onFastify(policies as never));
      app.removeAllContentTypeParsers();
      app.addContentTypeParser('*', (_request: unknown, _payload: unknown, done: (error: null) => void) =>
        done(null),
      );
      app.all('/*', async (request: { raw: IncomingMessage }, reply: FastifyResponse) => {
        const { raw } = request;
        const {
          status = 200,
          headers = {},
          body = '',
        } = await origin({
          method: raw.method ?? '',
          url: raw.url ?? '',
          headers: { ...raw.headers },
        });
        return reply
          .code(status)
          .headers(headers)
          .send(Array.isArray(body) ? body.join('') : body);
      });
      await app.listen({ port: 0, host: '127.0.0.1' });
      return {
        port: (app.server.address() as AddressInfo).port,
        async [Symbol.asyncDispose]() {
          app.server.closeAllConnections();
          await app.close();
        },
      };
    },
  },
  {
    name: 'hono',
    start(policies, origin) {
      const { Hono } = framework('hono');
      const { createAdaptorServer } = framework('@hono/node-server');
      const app = new Hono();
      app.use(onHono(policies as never));
      app.all('*', async (c: HonoContext) => {
        const url = new URL(c.req.url);
        const {
          status = 200,
          headers = {},
          body = '',
        } = await origin({
          method: c.req.method,
          url: url.pathname + url.search,
          headers: Object.fromEntries(c.req.raw.headers),
        });
        const content = Array.isArray(body) ? body.join('') : body;
        return c.body(status === 204 || status === 304 ? null : content, status, headers);
      });
      return listen(createAdaptorServer({ fetch: app.fetch }) as Server);
    },
  },
];

/** Every adapter, with an origin that is a policy behind the cache. */
export const everyAdapter: readonly Host[] = adapters.map(({ name, http2 = false, start }) => ({
  name,
  http2,
  start: (policies: readonly Policy[], origin: Origin) => start([[...policies, originPolicy(origin)]], {}),
}));

interface ExpressResponse {
  status(code: number): ExpressResponse;
  set(headers: object): void;
  send(body: unknown): void;
}

interface FastifyResponse {
  code(status: number): FastifyResponse;
  headers(headers: object): FastifyResponse;
  send(body: unknown): FastifyResponse;
}

interface HonoContext {
  readonly req: { readonly url: string; readonly method: string; readonly raw: Request };
  body(data: unknown, status: number, headers: object): Response;
}
