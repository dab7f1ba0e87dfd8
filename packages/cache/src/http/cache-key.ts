import type { Exchange } from '@weir/core';
import type { HeaderReader } from './vary.ts';

/** For what a request asks. */
export interface Address {
  /** See {@link cacheKey}. */
  readonly key: string;
  /** See {@link addressedBy}. */
  readonly addressed: string;
}

/** What a host may look like. Anything else could make two addresses look like one, and is not cached. */
const plainHost = /^(?:[a-z\d._~-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/;

/**
 * What responses are stored under: scheme, host, path and query, as received. A GET and a HEAD share it.
 *
 * @returns undefined if there can be no safe key: no host or an odd one, or a target that is not a path
 */
export function cacheKey(x: Exchange, host: HostReader): string | undefined {
  const { url } = x;
  if (url.charCodeAt(0) !== 47) return undefined;
  const name = host(x.host, x.protocol);
  return name === undefined ? undefined : `${x.protocol}://${name}${url}`;
}

/** The host of a key, or undefined; see {@link hostReader}. */
export type HostReader = (host: string, protocol: string) => string | undefined;

/** Lower-cases hosts and drops the scheme's own port. Remembers the last one: most sites have one name. */
export function hostReader(): HostReader {
  let lastHost: string | undefined;
  let lastProtocol: string | undefined;
  let last: string | undefined;
  return (host, protocol) => {
    if (host !== lastHost || protocol !== lastProtocol) {
      last = normalHost(host, protocol);
      lastHost = host;
      lastProtocol = protocol;
    }
    return last;
  };
}

function normalHost(host: string, protocol: string): string | undefined {
  const lower = host.toLowerCase();
  if (!plainHost.test(lower)) return undefined;
  const port = protocol === 'https' ? ':443' : ':80';
  return lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}

/**
 * The key of an address that somebody names: an operator who purges, or `Location`.
 *
 * @returns undefined if it is not an absolute http(s) URL
 */
export function keyOfUrl(url: string): string | undefined {
  const match = /^(https?):\/\/([^/?#]*)([^#]*)/i.exec(url);
  if (match === null) return undefined;
  const [, scheme = '', authority = '', rest = ''] = match;
  const protocol = scheme.toLowerCase();
  const host = normalHost(authority, protocol);
  if (host === undefined) return undefined;
  return `${protocol}://${host}${rest.startsWith('/') ? rest : `/${rest}`}`;
}

/** Scheme and host of a key. */
export function originOf(key: string): string {
  return key.slice(0, key.indexOf('/', key.indexOf('://') + 3));
}

/** Headers by which frameworks and applications let a request be another method than its own. */
const methodOverrides = ['x-http-method-override', 'x-http-method', 'x-method-override'];

export function overridesMethod(request: HeaderReader): boolean {
  for (const name of methodOverrides) if (request.header(name) !== undefined) return true;
  return false;
}

/** Headers by which frameworks and applications let a request name another host, scheme or path than its own. */
const addressOverrides = [
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-scheme',
  'x-forwarded-ssl',
  'x-forwarded-server',
  'x-forwarded-path',
  'x-host',
  'x-original-host',
  'x-original-url',
  'x-rewrite-url',
  'front-end-https',
];

/**
 * The part of a request that a response may depend on although no `Vary` says so: an entry is only for requests that
 * have the same. Without it one request with a forged `X-Forwarded-Host` decides what everybody's links point to.
 *
 * @param further names that the application adds
 */
export function addressedBy(request: HeaderReader, further: readonly string[]): string {
  let found = '';
  for (const name of addressOverrides) {
    const value = request.header(name);
    if (value !== undefined) found += `${name}:${value}\n`;
  }
  for (const name of further) {
    const value = request.header(name);
    if (value !== undefined) found += `${name}:${value}\n`;
  }
  // Of `Forwarded` only what is the same for all clients behind a proxy.
  for (const [, name, value] of request.header('forwarded')?.matchAll(forwardedPart) ?? [])
    found += `${name?.toLowerCase()}=${value}\n`;
  return found;
}

const forwardedPart = /(?:^|[;,\s])(host|proto|path)=("[^"]*"|[^;,\s]*)/gi;
