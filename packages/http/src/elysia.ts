import type { Exchange, Policy } from '@weir/core';
import type { AnyElysia } from 'elysia';
import { exchangeOnRequest } from './fetch/exchange.ts';
import { serve } from './fetch/serve.ts';
import { adapter, required } from './internal/adapter.ts';
import type { Policies } from './internal/policies.ts';
import type { HttpOptions, Settings } from './internal/settings.ts';

export type { Policies, PolicyLike } from './internal/policies.ts';
export type { HttpOptions } from './internal/settings.ts';

/** An Elysia plugin. */
export type ElysiaPlugin = <App extends AnyElysia>(app: App) => App;

/** Makes an Elysia plugin out of policies, the outermost first. */
export type Weir = (policies: Policies<Request>, options?: HttpOptions) => ElysiaPlugin;

const made = adapter<Request, ElysiaPlugin>(bind);

/**
 * Runs policies around everything that an Elysia application answers, unknown routes included.
 *
 * @throws InvalidOptionError if a policy or an option is not one.
 *
 * @example
 * new Elysia().use(weir(rateLimit({ limits: tokenBucket({ limit: 100, per: '1m' }) }))).get('/', () => 'hello');
 */
export const weir: Weir = made.weir;

/** A `weir` that is told once what holds for the whole application. */
export const configure: (options: HttpOptions) => Weir = made.configure;

/**
 * The exchange of a request, for handlers that read what policies left there.
 *
 * @throws WeirError `ERR_WEIR_NO_EXCHANGE` if no policy has run on this request.
 */
export function exchangeOf(context: { readonly request: Request }): Exchange<Request> {
  return required(exchangeOnRequest(context.request));
}

type Handle = (request: Request, ...rest: unknown[]) => Response | Promise<Response>;

/** The mounts of one application, the outermost first. */
const mounts = new WeakMap<AnyElysia, Mount[]>();

type Mount = (next: Handle) => Handle;

function bind(policies: readonly Policy[], settings: Settings): ElysiaPlugin {
  return (app) => {
    const mount: Mount =
      (next) =>
      (request, ...rest) =>
        serve(policies, settings, request, [app.server, ...rest], (handled) => next(handled, ...rest));
    const list = mounts.get(app);
    if (list !== undefined) {
      list.push(mount);
      return app;
    }
    const all = [mount];
    mounts.set(app, all);
    // Elysia's life-cycle hooks do not see every response, nor when its body has ended. Its own tracing plugins stand
    // here too. Of several wrappers the last would be the outermost, against the order of `use`, hence only one.
    app.wrap(((handle: Handle) => all.reduceRight((next, each) => each(next), handle)) as never);
    return app;
  };
}
