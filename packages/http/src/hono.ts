import type { Exchange, Policy, Reply } from '@weir/core';
import type { Context, MiddlewareHandler, Next } from 'hono';
import { FetchExchange, type Host } from './fetch/exchange.ts';
import { streamOf } from './fetch/streams.ts';
import { adapter, required } from './internal/adapter.ts';
import { discard, type HostExchange, hasBody, isSource, slot } from './internal/exchange.ts';
import { recordOf } from './internal/pairs.ts';
import type { Policies } from './internal/policies.ts';
import { gone, run } from './internal/run.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';
import { exchangeOn, NodeExchange, type NodeRequest, type NodeResponse } from './node/exchange.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** Makes Hono middleware out of policies, the outermost first. */
export type Weir = (policies: Policies<Context>, options?: HttpOptions) => MiddlewareHandler;

const made = adapter<Context, MiddlewareHandler>(bind);

/**
 * Runs policies as middleware of Hono, on any runtime. Over @hono/node-server it works on the native response, which
 * spares the making of `Headers`; elsewhere on the web-standard one.
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
export function exchangeOf(c: Context): Exchange<Context> {
  const { incoming } = bindings(c);
  return required((c as Decorated)[slot] ?? (incoming && exchangeOn(incoming)));
}

interface Decorated {
  [slot]?: FetchExchange<Context>;
}

/** What @hono/node-server puts into `c.env`. */
interface Bindings {
  readonly incoming?: NodeRequest;
  readonly outgoing?: NodeResponse;
  /** Deno's and Bun's. */
  readonly remoteAddr?: { readonly hostname?: string };
  readonly server?: { requestIP?(request: Request): { readonly address: string } | null };
  requestIP?(request: Request): { readonly address: string } | null;
}

function bindings(c: Context): Bindings {
  return (c.env as Bindings | undefined) ?? {};
}

function bind(policies: readonly Policy[], settings: Settings): MiddlewareHandler {
  // Hono awaits what a middleware returns, so that one which need not wait may answer at once.
  return function weir(c: Context, next: Next) {
    const { incoming, outgoing } = bindings(c);
    return incoming !== undefined && outgoing !== undefined
      ? overNode(c, next, policies, settings, incoming, outgoing)
      : overFetch(c, next, policies, settings);
  } as MiddlewareHandler;
}

function overNode(
  c: Context,
  next: Next,
  policies: readonly Policy[],
  settings: Settings,
  incoming: NodeRequest,
  outgoing: NodeResponse,
): unknown {
  let x = exchangeOn(incoming);
  if (x === undefined) {
    x = new NodeExchange<unknown>(incoming, outgoing, c, settings);
    x.onRequestHeader = rewriteWebHeader;
  }
  const entered = run(x, policies);
  if (entered === undefined) return x.watched ? proceed(x, c, next) : next();
  if (!(entered instanceof Promise)) return answer(x, c, entered);
  const open = x;
  return entered.then((reply): unknown =>
    reply === undefined ? proceed(open, c, next) : answer(open, c, reply),
  );
}

async function proceed(x: HostExchange, c: Context, next: Next): Promise<void> {
  await next();
  // Hono's compose has caught what a handler threw and made a response of it.
  if (c.error !== undefined) x.error = c.error;
}

async function overFetch(
  c: Context,
  next: Next,
  policies: readonly Policy[],
  settings: Settings,
): Promise<Response | undefined> {
  const outer = (c as Decorated)[slot];
  const x = outer ?? new FetchExchange<Context>(c.req.raw, c, settings, hostOf(c));
  (c as Decorated)[slot] = x;
  const entered = run(x as HostExchange, policies);
  const reply = entered instanceof Promise ? await entered : entered;
  if (reply !== undefined) {
    const response = answer(x as HostExchange, c, reply);
    return outer === undefined && reply !== gone ? x.respond(response) : response;
  }
  const handled = x.handled;
  if (handled !== c.req.raw) c.req.raw = handled;
  await proceed(x as HostExchange, c, next);
  // Of several mounts on one request the outermost sends the response.
  if (outer !== undefined) return undefined;
  const response = x.respond(c.res);
  if (response !== c.res) {
    // Assigning over a response merges their headers; over nothing it does not.
    c.res = undefined;
    c.res = response;
  }
  return undefined;
}

/** A reply in Hono's own words, so that headers which outer middleware prepared stay on it. */
function answer(x: HostExchange, c: Context, reply: Reply): Response {
  if (reply === gone) return new Response(null, { headers: { 'x-hono-already-sent': 'true' } });
  const { status, headers = [], body } = reply;
  const record = recordOf(headers);
  if (!hasBody(x.method, status)) {
    discard(reply, new Error('a response to this request has no body'));
    return c.body(null, status as 200, record);
  }
  const data = isSource(body) ? streamOf(body, (error) => (x.cut = error)) : (body ?? null);
  return c.body(data as string, status as 200, record);
}

/** Hono's request keeps headers of its own once somebody has read them. */
function rewriteWebHeader(raw: unknown, lowerName: string, value: string | undefined): void {
  const { headers } = (raw as Context).req.raw;
  if (value === undefined) headers.delete(lowerName);
  else headers.set(lowerName, value);
}

function hostOf(c: Context): Host {
  const env = bindings(c);
  return {
    peer: (request) =>
      (env.requestIP?.(request) ?? env.server?.requestIP?.(request))?.address ?? env.remoteAddr?.hostname,
    waitUntil(work) {
      try {
        c.executionCtx.waitUntil(work);
      } catch {
        // Hono throws where the runtime has no execution context; there the process itself stays alive.
      }
    },
  };
}
