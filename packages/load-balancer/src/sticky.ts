import { fromCookie, fromHeader } from '@weir/consistent-hash';
import {
  type Duration,
  duration,
  type Exchange,
  InvalidOptionError,
  knownOptions,
  oneOf,
  text,
} from '@weir/core';
import { hmac } from './internal/sha256.ts';

/** How clients are kept at the server that they were sent to first. */
export interface Sticky {
  /** The token that a client has brought; undefined if none. */
  read(x: Exchange): string | undefined;
  /** Hands a token to the client, on the response. */
  write(x: Exchange, token: string): void;
  /** The tokens that name a server: the one to hand out first, then those of older secrets. */
  tokensFor(url: string): readonly SessionToken[];
}

/** `<id>.<mac>`: what names a server without giving its address away, and the proof that it comes from here. */
export interface SessionToken {
  readonly id: string;
  readonly mac: string;
}

interface SecretOptions {
  /**
   * What tokens are signed with, at least 16 characters, the same in all balancers. Of several, the first one signs and
   * all are accepted: to change secrets, put the new one first, and drop the old one when no token of it is left.
   */
  readonly secret: string | readonly string[];
}

export interface StickyCookieOptions extends SecretOptions {
  /** The cookie's name. @default 'weir-upstream' */
  readonly name?: string;
  /** @default '/' */
  readonly path?: string;
  /** @default none: the host that was asked */
  readonly domain?: string;
  /** How long the client keeps it. 1 s to 400 days. @default until the browser is closed */
  readonly maxAge?: Duration;
  /** @default 'lax' */
  readonly sameSite?: 'lax' | 'strict' | 'none';
  /** Whether it is sent over https only. 'auto': if the client came over https. @default 'auto' */
  readonly secure?: boolean | 'auto';
}

export interface StickyHeaderOptions extends SecretOptions {
  /** Of the request's header and of the response's. @default 'x-upstream-session' */
  readonly name?: string;
}

/**
 * Sessions by a cookie. Its value is signed and names the server by a code, not by its address. Forged, stale and unknown
 * values are as good as none. Always HttpOnly.
 *
 * @throws InvalidOptionError if an option is missing, unknown or wrong.
 *
 * @example
 * createPool(urls, { sticky: stickyCookie({ secret: process.env.SESSION_SECRET, maxAge: '1h' }) });
 */
export function stickyCookie(options: StickyCookieOptions): Sticky {
  const names = ['secret', 'name', 'path', 'domain', 'maxAge', 'sameSite', 'secure'];
  knownOptions(options, names, 'stickyCookie');
  const { name = 'weir-upstream', path = '/', domain, maxAge, sameSite = 'lax', secure = 'auto' } = options;
  matching(name, 'name', /^[!#$%&'*+.^_`|~\w-]+$/, 'a cookie name');
  matching(path, 'path', /^\/[ -:<-~]*$/, "a path such as '/app'");
  if (domain !== undefined) matching(domain, 'domain', /^[\w.-]+$/, 'a domain name');
  oneOf(sameSite, 'sameSite', ['lax', 'strict', 'none']);
  oneOf(secure, 'secure', [true, false, 'auto']);
  const age =
    maxAge === undefined ? undefined : duration(maxAge, 'maxAge', { min: 1000, max: 400 * 86_400_000 });
  const attributes = [
    `; Path=${path}`,
    domain === undefined ? '' : `; Domain=${domain}`,
    age === undefined ? '' : `; Max-Age=${Math.round(age / 1000)}`,
    `; HttpOnly; SameSite=${sameSite === 'lax' ? 'Lax' : sameSite === 'strict' ? 'Strict' : 'None'}`,
  ].join('');
  return {
    read: fromCookie(name) as Sticky['read'],
    write(x, token) {
      const only = secure === true || (secure === 'auto' && x.protocol === 'https');
      x.appendHeader('set-cookie', `${name}=${token}${attributes}${only ? '; Secure' : ''}`);
    },
    tokensFor: signer(options.secret),
  };
}

/**
 * Sessions by a header, for clients that are programs: the response tells a token, and the client sends it along from then
 * on. Forged, stale and unknown values are as good as none.
 *
 * @throws InvalidOptionError if an option is missing, unknown or wrong.
 */
export function stickyHeader(options: StickyHeaderOptions): Sticky {
  knownOptions(options, ['secret', 'name'], 'stickyHeader');
  const { name = 'x-upstream-session' } = options;
  matching(name, 'name', /^[!#$%&'*+.^_`|~\w-]+$/, 'a header name');
  return {
    read: fromHeader(name) as Sticky['read'],
    write: (x, token) => x.setHeader(name, token),
    tokensFor: signer(options.secret),
  };
}

function signer(secret: string | readonly string[]): Sticky['tokensFor'] {
  const secrets = typeof secret === 'string' ? [secret] : [...secret];
  if (secrets.length === 0 || secrets.some((each) => text(each, 'secret').length < 16)) {
    throw new InvalidOptionError('secret', 'one text of 16 characters or more, or several', secret.length);
  }
  return (url) =>
    secrets.map((each) => ({
      id: base64url(hmac(each, `id ${url}`).subarray(0, 9)),
      mac: base64url(hmac(each, `session ${url}`)),
    }));
}

function matching(value: unknown, option: string, pattern: RegExp, what: string): void {
  if (typeof value !== 'string' || !pattern.test(value)) throw new InvalidOptionError(option, what, value);
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
