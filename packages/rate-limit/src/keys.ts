import { addressGroup, type Exchange, integer, text } from '@weir/core';

/** What a request is counted by. Undefined: by its address, so that leaving out a header or a token is no way round. */
export type KeyOf = (x: Exchange) => string | undefined;

/**
 * Counts by the client's address, IPv6 by network: whoever has one address has at least a /64 of them. Where the host
 * knows no address, all share the key 'unknown'.
 *
 * @param ipv6Prefix length of the network in bits, 1 to 128
 * @throws InvalidOptionError if the prefix is out of range.
 *
 * @example
 * rateLimit({ limits, key: byAddress(56) });
 */
export function byAddress(ipv6Prefix = 64): (x: Exchange) => string {
  integer(ipv6Prefix, 'ipv6Prefix', 1, 128);
  return (x) => addressGroup(x.ip, ipv6Prefix);
}

/**
 * Counts by a request header, such as an API key that has been verified before; by address if it is missing. The
 * name is part of the key, so that nobody can send another one's address as a header.
 *
 * @throws InvalidOptionError if the name is empty.
 *
 * @example
 * rateLimit({ limits, key: byHeader('x-api-key') });
 */
export function byHeader(name: string): KeyOf {
  const lower = text(name, 'name').toLowerCase();
  return (x) => {
    const value = x.header(lower);
    return value === undefined ? undefined : `${lower}=${value}`;
  };
}
