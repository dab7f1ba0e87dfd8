import { callable, InvalidOptionError, knownOptions, text } from '@weir/core';
import type { Check } from './health.ts';

export interface HttpCheckOptions {
  /** Path and query that are asked for. @default '/' */
  readonly path?: string;
  /** @default 'GET' */
  readonly method?: string;
  /** Request headers. @default none */
  readonly headers?: { readonly [name: string]: string };
  /** Which statuses mean that the server is well. @default 200 to 399 */
  readonly accept?: (status: number) => boolean;
  /** What sends the request; redirects are not followed. @default the runtime's fetch */
  readonly fetch?: typeof fetch;
}

/**
 * A health check by an HTTP request. The answer's body is not read.
 *
 * fetch knows the URL only, so a server is asked under the host that stands there, not under its `hostname`: where servers
 * found by address serve https, or several names, check them by TCP or by a function of yours.
 *
 * @throws InvalidOptionError if an option is unknown or wrong.
 *
 * @example
 * createPool(urls, { health: { check: httpCheck({ path: '/healthz' }), interval: '5s' } });
 */
export function httpCheck(options: HttpCheckOptions = {}): Check {
  knownOptions(options, ['path', 'method', 'headers', 'accept', 'fetch'], 'httpCheck');
  const { path = '/', headers } = options;
  const method = text(options.method ?? 'GET', 'method');
  const accept = callable(options.accept ?? ((status: number) => status >= 200 && status < 400), 'accept');
  // Asked for when it is needed: whoever replaces the global one later is heard.
  const send: typeof fetch =
    options.fetch === undefined ? (url, init) => fetch(url, init) : callable(options.fetch, 'fetch');
  if (typeof path !== 'string' || !path.startsWith('/') || path.startsWith('//')) {
    throw new InvalidOptionError('path', "a path such as '/healthz'", path);
  }
  return async ({ url }, signal) => {
    const response = await send(url + path, {
      method,
      headers: { ...headers },
      redirect: 'manual',
      signal,
    });
    await response.body?.cancel();
    if (!accept(response.status)) throw new Error(`status ${response.status}`);
  };
}
