import type { Awaitable, Policy } from '@weir/core';
import { gone, run } from '../internal/run.ts';
import type { Settings } from '../internal/settings.ts';
import { exchangeOnRequest, FetchExchange, type Host } from './exchange.ts';

/**
 * Runs policies around a web-standard handler.
 *
 * @param context what the host handed on beside the request
 */
export async function serve(
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
