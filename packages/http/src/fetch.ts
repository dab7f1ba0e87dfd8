import type { Awaitable, Exchange, Policy } from '@weir/core';
import { exchangeOnRequest, FetchExchange, type Host } from './fetch/exchange.ts';
import { adapter, required } from './internal/adapter.ts';
import type { Policies } from './internal/policies.ts';
import { gone, run } from './internal/run.ts';
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
    handle(policies, settings, request, context, next)) as FetchMiddleware;
  middleware.wrap =
    (handler) =>
    (request, ...rest) =>
      handle(policies, settings, request, rest, (handled) => handler(handled, ...rest));
  return middleware;
}

async function handle(
  policies: readonly Policy[],
  settings: Settings,
  request: Request,
  context: readonly unknown[],
  next: (request: Request) => Awaitable<Response>,
): Promise<Response> {
  const outer = exchangeOnRequest(request);
  const x = outer ?? new FetchExchange<unknown>(request, request, settings, hostOf(context));
  const entered = run(x, policies);
  const reply = entered instanceof Promise ? await entered : entered;
  // Nobody is listening any more; the host still wants something.
  if (reply === gone) return new Response(null, { status: 499 });
  if (reply !== undefined) {
    const response = x.responseOf(reply);
    return outer === undefined ? x.respond(response) : response;
  }
  // Of several mounts on one request the outermost sends the response.
  if (outer !== undefined) return next(x.handled);
  try {
    return x.respond(await next(x.handled));
  } catch (error) {
    x.failed(error);
    throw error;
  }
}

/** The parts of the hosts' own objects that are of use here. */
interface Context {
  requestIP?(request: Request): { readonly address: string } | null;
  readonly remoteAddr?: { readonly hostname?: string };
  waitUntil?(work: Promise<unknown>): void;
}

function hostOf(context: readonly unknown[]): Host {
  const find = (name: keyof Context): Context | undefined =>
    context.find((each): each is Context => typeof each === 'object' && each !== null && name in each);
  return {
    peer: (request) =>
      find('requestIP')?.requestIP?.(request)?.address ??
      find('remoteAddr')?.remoteAddr?.hostname ??
      (request as { ip?: string }).ip,
    waitUntil(work) {
      find('waitUntil')?.waitUntil?.(work);
    },
  };
}
