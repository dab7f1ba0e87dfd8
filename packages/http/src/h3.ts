import type { Exchange, Policy, Reply } from '@weir/core';
import type { H3Event, Middleware } from 'h3';
import { exchangeOnRequest, FetchExchange, type Host } from './fetch/exchange.ts';
import { adapter, required } from './internal/adapter.ts';
import { discard, hasBody, isSource } from './internal/exchange.ts';
import { headersOf, valueIn } from './internal/pairs.ts';
import type { Policies } from './internal/policies.ts';
import { gone, run } from './internal/run.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';
import { exchangeOn, NodeExchange, type NodeRequest, type NodeResponse } from './node/exchange.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** Makes h3 middleware out of policies, the outermost first. */
export type Weir = (policies: Policies<H3Event>, options?: HttpOptions) => Middleware;

const made = adapter<H3Event, Middleware>(bind);

/**
 * Runs policies as middleware of h3 version 2. On Node it works on the native response, which spares the making of
 * `Headers`; elsewhere on the web-standard one.
 *
 * @throws InvalidOptionError if a policy or an option is not one.
 *
 * @example
 * app.use(weir(rateLimit({ limits: tokenBucket({ limit: 100, per: '1m' }) })));
 */
export const weir: Weir = made.weir;

/** A `weir` that is told once what holds for the whole application. */
export const configure: (options: HttpOptions) => Weir = made.configure;

/**
 * The exchange of a request, for handlers that read what policies left there.
 *
 * @throws WeirError `ERR_WEIR_NO_EXCHANGE` if no policy has run on this request.
 */
export function exchangeOf(event: H3Event): Exchange<H3Event> {
  const node = nodeOf(event);
  return required(node === undefined ? exchangeOnRequest(event.req) : exchangeOn(node.req));
}

type Next = () => unknown;

function nodeOf(event: H3Event): { readonly req: NodeRequest; readonly res: NodeResponse } | undefined {
  const node = event.runtime?.node;
  return node?.res === undefined
    ? undefined
    : { req: node.req as NodeRequest, res: node.res as NodeResponse };
}

function bind(policies: readonly Policy[], settings: Settings): Middleware {
  return function weir(event: H3Event, next: Next): unknown {
    const node = nodeOf(event);
    return node === undefined
      ? overFetch(event, next, policies, settings)
      : overNode(event, next, policies, settings, node.req, node.res);
  } as Middleware;
}

function overNode(
  event: H3Event,
  next: Next,
  policies: readonly Policy[],
  settings: Settings,
  req: NodeRequest,
  res: NodeResponse,
): unknown {
  let x = exchangeOn(req);
  if (x === undefined) {
    x = new NodeExchange<unknown>(req, res, event, settings);
    x.onRequestHeader = rewriteWebHeader;
  }
  const open = x;
  const entered = run(x, policies);
  if (entered === undefined) return x.watched ? proceed(open, next) : next();
  if (!(entered instanceof Promise)) return answer(open, entered);
  return entered.then((reply) => (reply === undefined ? proceed(open, next) : answer(open, reply)));
}

async function proceed(x: NodeExchange, next: Next): Promise<unknown> {
  try {
    return await next();
  } catch (error) {
    x.error = error;
    throw error;
  }
}

/** What h3 takes for a response, told by this mark; unlike a `Response` it keeps the headers that others prepared. */
const mark = Symbol.for('h3.HTTPResponse');
const handled = Symbol.for('h3.handled');

function answer(x: NodeExchange, reply: Reply): unknown {
  if (reply === gone) return handled;
  const { status, headers = [], body } = reply;
  let data: string | Uint8Array | null = null;
  if (!hasBody(x.method, status)) discard(reply, new Error('a response to this request has no body'));
  else if (isSource(body)) {
    x.nodeBody.defer(body, valueIn(headers, 'content-length'));
    data = '';
  } else data = body ?? '';
  return { [mark]: true, status, headers: headersOf(headers), body: data };
}

async function overFetch(
  event: H3Event,
  next: Next,
  policies: readonly Policy[],
  settings: Settings,
): Promise<unknown> {
  const outer = exchangeOnRequest(event.req);
  const x: FetchExchange = outer ?? new FetchExchange<unknown>(event.req, event, settings, hostOf(event));
  const entered = run(x, policies);
  const reply = entered instanceof Promise ? await entered : entered;
  if (reply === gone) return new Response(null, { status: 499 });
  if (reply !== undefined) {
    const response = x.responseOf(reply);
    return outer === undefined ? x.respond(response) : response;
  }
  if (x.handled !== event.req) Object.assign(event, { req: x.handled });
  // Of several mounts on one request the outermost sends the response.
  if (outer !== undefined) return next();
  try {
    return x.respond(responseOf(await next(), event));
  } catch (error) {
    x.failed(error);
    throw error;
  }
}

/** What a handler returned, as the response that h3 would make of it. */
function responseOf(value: unknown, event: H3Event): Response {
  if (value instanceof Response) return value;
  const { status = 200 } = event.res;
  if (value === undefined || value === null) return new Response('', { status });
  if (typeof value === 'object' && mark in value) {
    const made = value as { body?: BodyInit | null; status?: number; headers?: Headers };
    return new Response(made.body ?? null, { status: made.status ?? status, headers: made.headers ?? {} });
  }
  const bytes = typeof value === 'string' || value instanceof Uint8Array || value instanceof ReadableStream;
  if (bytes || value instanceof Blob) return new Response(value as BodyInit, { status });
  return Response.json(value, { status });
}

/** h3's request keeps headers of its own once somebody has read them. */
function rewriteWebHeader(raw: unknown, lowerName: string, value: string | undefined): void {
  const { headers } = (raw as H3Event).req;
  if (value === undefined) headers.delete(lowerName);
  else headers.set(lowerName, value);
}

function hostOf(event: H3Event): Host {
  return {
    peer: (request) => (request as { ip?: string }).ip,
    waitUntil: (work) => event.waitUntil(work),
  };
}
