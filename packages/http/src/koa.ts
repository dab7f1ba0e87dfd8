import type { Exchange, Policy, Reply } from '@weir/core';
import type { Context, Middleware, Next } from 'koa';
import { adapter, required } from './internal/adapter.ts';
import { discard, hasBody, isSource } from './internal/exchange.ts';
import { recordOf, valueIn } from './internal/pairs.ts';
import type { Policies } from './internal/policies.ts';
import { gone, run } from './internal/run.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';
import { exchangeOn, NodeExchange } from './node/exchange.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** Makes Koa middleware out of policies, the outermost first. */
export type Weir = (policies: Policies<Context>, options?: HttpOptions) => Middleware;

const made = adapter<Context, Middleware>(bind);

/**
 * Runs policies as middleware of Koa 2 or 3. The client's address is `ctx.ip` where the application has `proxy` set.
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
export function exchangeOf(ctx: Context): Exchange<Context> {
  return required(exchangeOn(ctx.req));
}

function bind(policies: readonly Policy[], settings: Settings): Middleware {
  return function weir(ctx: Context, next: Next): unknown {
    const x = exchangeOn(ctx.req) ?? exchangeFor(ctx, settings);
    const entered = run(x, policies);
    if (entered === undefined) return x.watched ? proceed(x, next) : next();
    if (!(entered instanceof Promise)) return answer(x, ctx, entered);
    return entered.then((reply) => (reply === undefined ? proceed(x, next) : answer(x, ctx, reply)));
  };
}

function exchangeFor(ctx: Context, settings: Settings): NodeExchange {
  const x: NodeExchange = new NodeExchange<unknown>(ctx.req, ctx.res, ctx, settings, koaIp);
  // Koa's error page is made on a response without headers.
  x.restores = true;
  return x;
}

async function proceed(x: NodeExchange, next: Next): Promise<void> {
  try {
    await next();
  } catch (error) {
    x.error = error;
    throw error;
  }
}

/** A reply in Koa's own words, so that what outer middleware sets after `next()` is still on time. */
function answer(x: NodeExchange, ctx: Context, reply: Reply): void {
  if (reply === gone) {
    ctx.respond = false;
    return;
  }
  const { status, headers = [], body } = reply;
  const sendable = hasBody(x.method, status);
  ctx.status = status;
  if (!sendable) {
    discard(reply, new Error('a response to this request has no body'));
    ctx.body = x.method === 'HEAD' && typeof body === 'string' ? body : null;
    // Koa takes a body of null for a wish to say 204.
    ctx.status = status;
  } else if (isSource(body)) {
    ctx.body = '';
    x.nodeBody.defer(body, valueIn(headers, 'content-length'));
  } else ctx.body = body === undefined ? '' : typeof body === 'string' ? body : Buffer.from(body);
  if (body === undefined || isSource(body)) ctx.remove('content-type');
  ctx.set(recordOf(headers));
}

function koaIp(ctx: Context): string | undefined {
  return ctx.app.proxy ? ctx.ip : undefined;
}
