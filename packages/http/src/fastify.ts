import type { Exchange, Policy, Reply } from '@weir/core';
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { adapter, required } from './internal/adapter.ts';
import { discard, hasBody, isSource } from './internal/exchange.ts';
import { recordOf, valueIn } from './internal/pairs.ts';
import type { Policies } from './internal/policies.ts';
import { gone, run } from './internal/run.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';
import type { HeaderBag } from './internal/taps.ts';
import { exchangeOn, NodeExchange } from './node/exchange.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** What the Fastify adapter can be told. */
export interface FastifyOptions extends HttpOptions {
  /**
   * The stage at which policies run. At the first they also guard unknown routes and spare the parsing of bodies; a
   * policy that wants to know the user belongs behind authentication, in `preHandler`.
   *
   * @default 'onRequest'
   */
  readonly hook?: 'onRequest' | 'preParsing' | 'preValidation' | 'preHandler';
}

/** Makes a Fastify plugin out of policies, the outermost first. */
export type Weir = (policies: Policies<FastifyRequest>, options?: FastifyOptions) => FastifyPluginCallback;

const made = adapter<FastifyRequest, FastifyPluginCallback, FastifyOptions>(bind, {
  hook: [undefined, 'onRequest', 'preParsing', 'preValidation', 'preHandler'],
});

/**
 * Runs policies as a plugin of Fastify 5, for the instance it is registered on and everything below. The client's
 * address is `request.ip` where the application has `trustProxy` set.
 *
 * @throws InvalidOptionError if a policy or an option is not one.
 *
 * @example
 * app.register(weir(rateLimit({ limits: tokenBucket({ limit: 100, per: '1m' }) })));
 */
export const weir: Weir = made.weir;

/** A `weir` that is told once what holds for the whole application. */
export const configure: (options: FastifyOptions) => Weir = made.configure;

/**
 * The exchange of a request, for handlers that read what policies left there.
 *
 * @throws WeirError `ERR_WEIR_NO_EXCHANGE` if no policy has run on this request.
 */
export function exchangeOf(request: FastifyRequest): Exchange<FastifyRequest> {
  return required(exchangeOn(request.raw));
}

type Done = (error?: Error) => void;

function bind(
  policies: readonly Policy[],
  settings: Settings,
  { hook = 'onRequest' }: FastifyOptions,
): FastifyPluginCallback {
  const plugin: FastifyPluginCallback = (app, _options, registered) => {
    const stage = (request: FastifyRequest, reply: FastifyReply, done: Done): void => {
      const x = exchangeOn(request.raw) ?? exchangeFor(request, reply, settings);
      const entered = run(x, policies);
      if (entered === undefined) done();
      else if (!(entered instanceof Promise)) answer(x, reply, entered);
      else {
        void entered.then((answered) => {
          if (answered === undefined) done();
          else answer(x, reply, answered);
        });
      }
    };
    // `preParsing` hands the payload along; nothing here changes it.
    if (hook === 'preParsing') {
      app.addHook('preParsing', (request, reply, payload, done) =>
        stage(request, reply, () => done(null, payload)),
      );
    } else app.addHook(hook as 'onRequest', stage);
    app.addHook('onError', (request, _reply, error, done) => {
      const x = exchangeOn(request.raw);
      if (x !== undefined) x.error = error;
      done();
    });
    registered();
  };
  // The hooks are for the instance that registers the plugin, not for a scope of their own.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

function exchangeFor(request: FastifyRequest, reply: FastifyReply, settings: Settings): NodeExchange {
  const x: NodeExchange = new NodeExchange<unknown>(request.raw, reply.raw, request, settings, fastifyIp);
  x.preparedHeaders = () => reply.getHeaders() as HeaderBag;
  return x;
}

/** A reply in Fastify's own words, so that `onSend` hooks run and their headers arrive. */
function answer(x: NodeExchange, reply: FastifyReply, answered: Reply): void {
  if (answered === gone) {
    // Nobody is there; Fastify must not wait for an answer that never comes.
    reply.hijack();
    return;
  }
  const { status, headers = [], body } = answered;
  reply.code(status).headers(recordOf(headers));
  if (!hasBody(x.method, status)) {
    discard(answered, new Error('a response to this request has no body'));
    reply.send(x.method === 'HEAD' && body !== undefined && !isSource(body) ? body : undefined);
  } else if (isSource(body)) {
    x.nodeBody.defer(body, valueIn(headers, 'content-length'));
    reply.send('');
    // To JSON without a serializer Fastify would add a charset, which problem+json does not have.
  } else reply.serializer(asItStands).send(body);
}

const asItStands = (body: string): string => body;

/** The socket's peer, unless the application has told Fastify whom to trust. */
function fastifyIp(request: FastifyRequest): string {
  return request.ip;
}
