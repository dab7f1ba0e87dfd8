import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type Exchange, type Policy, problem } from '@weir/core';
import { adapter, required } from './internal/adapter.ts';
import type { Policies } from './internal/policies.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';
import { exchangeOn, NodeExchange, type NodeRequest } from './node/exchange.ts';
import { handle } from './node/middleware.ts';
import { sendReply } from './node/reply.ts';
import { upgrade } from './node/upgrade.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** Middleware of the connect kind, for node:http, https and http2, which can also wrap a handler. */
export interface NodeMiddleware {
  <Req extends NodeRequest, Res extends ServerResponse | Http2ServerResponse>(
    req: Req,
    res: Res,
    next: (error?: unknown) => void,
  ): void;
  /**
   * Puts the policies in front of a handler. What the handler throws is answered with a 500, or cuts a response that
   * has begun.
   *
   * @example
   * createServer(weir(policies).wrap((req, res) => res.end('hello'))).listen(3000);
   */
  wrap<Req extends NodeRequest, Res extends ServerResponse | Http2ServerResponse>(
    handler: (req: Req, res: Res) => unknown,
  ): (req: Req, res: Res) => void;
  /**
   * Puts the policies in front of an upgrade. A refusal is answered on the socket, which is then closed; a tunnel counts
   * until its socket closes.
   *
   * @example
   * server.on('upgrade', weir(policies).upgrade((req, socket, head) => sockets.handleUpgrade(req, socket, head)));
   */
  upgrade(
    handler: (req: IncomingMessage, socket: Duplex, head: Buffer) => void,
  ): (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Makes middleware out of policies, the outermost first. */
export type Weir = (policies: Policies<NodeRequest>, options?: HttpOptions) => NodeMiddleware;

const made = adapter<NodeRequest, NodeMiddleware>(bind);

/**
 * Runs policies in front of a node:http handler, or as connect-style middleware.
 *
 * @throws InvalidOptionError if a policy or an option is not one.
 *
 * @example
 * const guard = weir(rateLimit({ limits: tokenBucket({ limit: 100, per: '1m' }) }));
 * createServer(guard.wrap((req, res) => res.end('hello'))).listen(3000);
 */
export const weir: Weir = made.weir;

/** A `weir` that is told once what holds for the whole application. */
export const configure: (options: HttpOptions) => Weir = made.configure;

/**
 * The exchange of a request, for handlers that read what policies left there.
 *
 * @throws WeirError `ERR_WEIR_NO_EXCHANGE` if no policy has run on this request.
 */
export function exchangeOf(req: NodeRequest): Exchange<NodeRequest> {
  return required(exchangeOn(req));
}

function bind(policies: readonly Policy[], settings: Settings): NodeMiddleware {
  const middleware = ((req, res, next) => {
    handle(exchangeOn(req) ?? new NodeExchange(req, res, req, settings), policies, next);
  }) as NodeMiddleware;
  middleware.wrap = (handler) => (req, res) => {
    const x: NodeExchange = exchangeOn(req) ?? new NodeExchange<unknown>(req, res, req, settings);
    handle(x, policies, () => call(x, () => handler(req, res)));
  };
  middleware.upgrade = (handler) => upgrade(policies, settings, handler as never);
  return middleware;
}

function call(x: NodeExchange, handler: () => unknown): void {
  try {
    const result = handler();
    if (result instanceof Promise) result.catch((error: unknown) => failed(x, error));
  } catch (error) {
    failed(x, error);
  }
}

const internal = problem(500);

function failed(x: NodeExchange, error: unknown): void {
  x.error = error;
  x.settings.fault(error, 'handler');
  if (x.res.headersSent) x.res.destroy();
  else sendReply(x, internal);
}
