import { addressGroup, type Exchange, InvalidOptionError, integer, text } from '@weir/core';
import type { HashKey } from './hash-key.ts';

/** Where a request's key comes from; undefined if the request has none. */
export type KeySource = (x: Exchange) => HashKey | undefined;

/**
 * The key in a request header.
 *
 * @throws InvalidOptionError if the name is empty.
 */
export function fromHeader(name: string): KeySource {
  const lowerName = text(name, 'name').toLowerCase();
  return (x) => x.header(lowerName);
}

/**
 * The key in a cookie (RFC 6265, 4.2), as sent, without surrounding quotes; the first one of that name.
 *
 * @throws InvalidOptionError if the name is empty.
 */
export function fromCookie(name: string): KeySource {
  const prefix = `${text(name, 'name')}=`;
  return (x) => {
    for (const part of x.header('cookie')?.split(';') ?? []) {
      const pair = part.trim();
      if (pair.startsWith(prefix)) return pair.slice(prefix.length).replace(/^"(.*)"$/, '$1');
    }
    return undefined;
  };
}

/**
 * The key in a segment of the path, decoded. Paths that go on after the pattern match as well; one that cannot be decoded
 * has no key.
 *
 * @param pattern segments, of which exactly one starts with a colon
 * @throws InvalidOptionError if the pattern is none.
 *
 * @example
 * fromParam('/tenants/:tenant'); // 'acme' for /tenants/acme/orders
 */
export function fromParam(pattern: string): KeySource {
  const segments = text(pattern, 'pattern').split('/');
  const at = segments.findIndex((segment) => /^:./.test(segment));
  if (segments[0] !== '' || segments.filter((segment) => segment.startsWith(':')).length !== 1 || at === -1) {
    throw new InvalidOptionError('pattern', "a path with one parameter, such as '/tenants/:tenant'", pattern);
  }
  return (x) => {
    const given = x.path.split('/');
    if (segments.some((segment, i) => i !== at && segment !== given[i])) return undefined;
    return decoded(given[at]);
  };
}

/**
 * The client's address; for IPv6 its network, since one client has all of it.
 *
 * @param prefix length of the IPv6 network in bits, 1 to 128
 * @throws InvalidOptionError if the prefix is none.
 */
export function fromAddress(prefix = 64): KeySource {
  integer(prefix, 'prefix', 1, 128);
  return (x) => addressGroup(x.ip, prefix);
}

function decoded(segment: string | undefined): string | undefined {
  if (segment === undefined) return undefined;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
