import type { Awaitable, Exchange, Policy } from '@weir/core';
import { exchangeOnRequest } from './fetch/exchange.ts';
import { serve } from './fetch/serve.ts';
import { adapter, required } from './internal/adapter.ts';
import type { Policies } from './internal/policies.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** Middleware for anything that answers a `Request` with a `Response`. */
export interface FetchMiddleware {
  /** One step of a chain; `next` makes the response. `context` is whatever the host hands its handlers. */
  (
    request: Request,
    next: (request: Request) => Awaitable<Response>,
    ...context: unknown[]
  ): Promise<Response>;
  /**
   * Puts the policies in front of a handler. What the host passes after the request (Bun's server, Deno's info, a
   * Worker's env and context) is handed on, and used for the client's address and `waitUntil`.
   *
   * @example
   * export default { fetch: weir(policies).wrap(async (request) => new Response('hello')) };
   */
  wrap<Rest extends unknown[]>(
    handler: (request: Request, ...rest: Rest) => Awaitable<Response>,
  ): (request: Request, ...rest: Rest) => Promise<Response>;
}

/** Makes middleware out of policies, the outermost first. */
export type Weir = (policies: Policies<Request>, options?: HttpOptions) => FetchMiddleware;

const made = adapter<Request, FetchMiddleware>(bind);

/**
 * Runs policies in front of a web-standard handler: Bun.serve, Deno.serve, Workers, Next route handlers.
 *
 * @throws InvalidOptionError if a policy or an option is not one.
 *
 * @example
 * const guard = weir(rateLimit({ limits: tokenBucket({ limit: 100, per: '1m' }) }));
 * Bun.serve({ fetch: guard.wrap(() => new Response('hello')) });
 */
export const weir: Weir = made.weir;

/** A `weir` that is told once what holds for the whole application. */
export const configure: (options: HttpOptions) => Weir = made.configure;

/**
 * The exchange of a request, for handlers that read what policies left there.
 *
 * @throws WeirError `ERR_WEIR_NO_EXCHANGE` if no policy has run on this request.
 */
export function exchangeOf(request: Request): Exchange<Request> {
  return required(exchangeOnRequest(request));
}

function bind(policies: readonly Policy[], settings: Settings): FetchMiddleware {
  const middleware = ((request, next, ...context) =>
    serve(policies, settings, request, context, next)) as FetchMiddleware;
  middleware.wrap =
    (handler) =>
    (request, ...rest) =>
      serve(policies, settings, request, rest, (handled) => handler(handled, ...rest));
  return middleware;
}
