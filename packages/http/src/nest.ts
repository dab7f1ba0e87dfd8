import type { Exchange, Policy } from '@weir/core';
import { adapter, required } from './internal/adapter.ts';
import type { Policies } from './internal/policies.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';
import { exchangeOn, NodeExchange, type NodeRequest, type NodeResponse } from './node/exchange.ts';
import { handle } from './node/middleware.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** A request as Nest hands it out: Express's, Fastify's, or the one below them. */
export interface NestRequest {
  readonly raw?: unknown;
}

/** Middleware for `app.use(...)` and `consumer.apply(...)`. */
export type NestMiddleware = (req: never, res: never, next: (error?: unknown) => void) => void;

/** Makes Nest middleware out of policies, the outermost first. */
export type Weir = (policies: Policies<NestRequest>, options?: HttpOptions) => NestMiddleware;

const made = adapter<NestRequest, NestMiddleware>(bind);

/**
 * Runs policies as global or module middleware of Nest, on Express or on Fastify. They run before guards, so a policy
 * that wants to know the user reads it from the request itself.
 *
 * @throws InvalidOptionError if a policy or an option is not one.
 *
 * @example
 * const app = await NestFactory.create(AppModule);
 * app.use(weir(rateLimit({ limits: tokenBucket({ limit: 100, per: '1m' }) })));
 */
export const weir: Weir = made.weir;

/** A `weir` that is told once what holds for the whole application. */
export const configure: (options: HttpOptions) => Weir = made.configure;

/**
 * The exchange of a request, for handlers that read what policies left there: what `@Req()` gives, on either platform.
 *
 * @throws WeirError `ERR_WEIR_NO_EXCHANGE` if no policy has run on this request.
 */
export function exchangeOf(req: NestRequest): Exchange<NestRequest> {
  return required(exchangeOn(req) ?? (req.raw === undefined ? undefined : exchangeOn(req.raw as object)));
}

function bind(policies: readonly Policy[], settings: Settings): NestMiddleware {
  return function weir(req: NodeRequest, res: NodeResponse, next) {
    handle(exchangeOn(req) ?? new NodeExchange<unknown>(req, res, req, settings, nestIp), policies, next);
  };
}

/** Express's own answer, where the application has told it whom to trust; over Fastify middleware sees no framework. */
function nestIp(req: { ip?: string; app?: { enabled?(name: string): boolean } }): string | undefined {
  return req.app?.enabled?.('trust proxy') === true ? req.ip : undefined;
}
