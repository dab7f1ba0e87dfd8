import type { Exchange, Policy } from '@weir/core';
import type { Request, RequestHandler } from 'express';
import { adapter, required } from './internal/adapter.ts';
import type { Policies } from './internal/policies.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';
import { exchangeOn, NodeExchange } from './node/exchange.ts';
import { handle } from './node/middleware.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** Makes Express middleware out of policies, the outermost first. */
export type Weir = (policies: Policies<Request>, options?: HttpOptions) => RequestHandler;

const made = adapter<Request, RequestHandler>(bind);

/**
 * Runs policies as middleware of Express 4 or 5. The client's address is `req.ip` where the application has set
 * `trust proxy`.
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
export function exchangeOf(req: Request): Exchange<Request> {
  return required(exchangeOn(req));
}

function bind(policies: readonly Policy[], settings: Settings): RequestHandler {
  return function weir(req, res, next) {
    handle(exchangeOn(req) ?? new NodeExchange(req, res, req, settings, expressIp), policies, next);
  };
}

/** The framework's own answer, where the application has told it whom to trust. */
function expressIp(req: Request): string | undefined {
  return req.app.enabled('trust proxy') ? req.ip : undefined;
}
