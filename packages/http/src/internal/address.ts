import { InvalidOptionError } from '@weir/core';
import ipaddr from 'ipaddr.js';

/** A network in which addresses are looked up. */
export type Network = readonly [address: ipaddr.IPv4 | ipaddr.IPv6, prefix: number];

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * An address as it may stand in a header, in canonical form: without port, brackets and zone, IPv4-mapped IPv6 as
 * IPv4, IPv6 as RFC 5952 writes it. Undefined for anything else, octal look-alikes such as `010.0.0.1` included.
 */
export function canonicalAddress(value: string): string | undefined {
  let text = value.trim();
  if (text.startsWith('[')) {
    const match = /^\[([^\]]+)\](?::\d+)?$/.exec(text);
    if (match === null) return undefined;
    text = match[1] as string;
  } else if (text.includes('.') && text.indexOf(':') === text.lastIndexOf(':')) {
    text = text.replace(/:\d+$/, '');
  }
  if (!text.includes(':')) return ipv4.test(text) ? text : undefined;
  const zone = text.indexOf('%');
  return canonicalIpv6(zone === -1 ? text : text.slice(0, zone));
}

function canonicalIpv6(text: string): string | undefined {
  // ipaddr.js reads a dotted tail leniently; a look-alike there is refused as everywhere else.
  const dot = text.indexOf('.');
  if (dot !== -1 && !ipv4.test(text.slice(text.lastIndexOf(':') + 1))) return undefined;
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toString();
}

/** The same for what a socket reports, which needs no doubting: almost always a string as it stands. */
export function socketAddress(value: string): string {
  if (!value.includes(':')) return value;
  if (value.startsWith('::ffff:') && value.includes('.')) return value.slice(7);
  const zone = value.indexOf('%');
  return zone === -1 ? value : value.slice(0, zone);
}

/** @throws InvalidOptionError if `value` is neither an address nor a network in CIDR notation. */
export function parseNetwork(value: unknown, option: string): Network {
  const bad = (): InvalidOptionError =>
    new InvalidOptionError(option, "addresses or networks such as '10.0.0.0/8' or '2001:db8::/32'", value);
  if (typeof value !== 'string') throw bad();
  const [text = '', bits, ...rest] = value.split('/');
  if (rest.length > 0 || text.startsWith('[') || (bits !== undefined && !/^\d{1,3}$/.test(bits))) throw bad();
  const canonical = canonicalAddress(text);
  if (canonical === undefined || /^[\d.]+:\d+$/.test(text)) throw bad();
  const address = ipaddr.parse(canonical);
  const size = address.kind() === 'ipv4' ? 32 : 128;
  // A mapped network such as ::ffff:10.0.0.0/104 is the IPv4 network below it; a wider one would be all of IPv4.
  const mapped = size === 32 && text.includes(':') ? 96 : 0;
  const prefix = bits === undefined ? size : Number(bits) - mapped;
  if (prefix < 0 || prefix > size) throw bad();
  return [address, prefix];
}

export function inNetworks(address: string, networks: readonly Network[]): boolean {
  const parsed = ipaddr.parse(address);
  return networks.some(([network, prefix]) => {
    if (parsed.kind() !== network.kind()) return false;
    return parsed.match(network as never, prefix as never);
  });
}
