import { canonicalAddress, inNetworks } from './address.ts';
import type { Settings } from './settings.ts';

/** What stands in for a client whose host gives no address: one bucket for all of them. */
export const unknownAddress = 'unknown';

export interface Client {
  readonly ip: string;
  /** What a trusted proxy said of the original request, if one spoke. */
  readonly host: string | undefined;
  readonly protocol: 'http' | 'https' | undefined;
}

/** Headers, by lower-case name, repeats joined. */
export type HeaderReader = (lowerName: string) => string | undefined;

/** Whether Weir itself was told how to find the client. */
export function trusts({ addressHeader, hops, networks }: Settings): boolean {
  return addressHeader !== undefined || hops > 0 || networks !== undefined;
}

/** One hop of a forwarding header. */
interface Hop {
  readonly address: string | undefined;
  readonly host?: string | undefined;
  readonly protocol?: string | undefined;
}

/**
 * Who the client is, seen through trusted proxies. Reads the one agreed header from the right, where the nearest hop
 * wrote, and stops at the first address that is not trusted or cannot be read. Never throws.
 *
 * @param peer the socket's peer in canonical form; '' where the host gives none
 */
export function resolveClient(peer: string, header: HeaderReader, settings: Settings): Client {
  const direct: Client = { ip: peer === '' ? unknownAddress : peer, host: undefined, protocol: undefined };
  const { addressHeader, hops, networks } = settings;
  if (addressHeader !== undefined) {
    const ip = canonicalAddress(header(addressHeader) ?? '');
    return ip === undefined ? direct : { ...direct, ip };
  }
  if (!trusts(settings)) return direct;
  const trusted = (address: string): boolean =>
    networks !== undefined && address !== '' && inNetworks(address, networks);
  if (networks !== undefined && !trusted(peer)) return direct;

  const chain = readHops(header, settings.forwardedHeader);
  if (networks === undefined && chain.length < hops) return direct;
  let ip = peer;
  for (let i = chain.length - 1; i >= 0; i -= 1) {
    const address = chain[i]?.address;
    if (address === undefined) break;
    ip = address;
    if (networks === undefined ? chain.length - i === hops : !trusted(address)) break;
  }
  const { host, protocol } = nearest(header, settings.forwardedHeader, chain);
  return {
    ip: ip === '' ? unknownAddress : ip,
    host,
    protocol: protocol === 'https' || protocol === 'http' ? protocol : undefined,
  };
}

function readHops(header: HeaderReader, name: Settings['forwardedHeader']): Hop[] {
  const value = header(name);
  if (value === undefined) return [];
  if (name === 'forwarded') return parseForwarded(value);
  return value.split(',').map((entry) => ({ address: canonicalAddress(entry) }));
}

/** Host and protocol as the nearest hop, a trusted one, wrote them. */
function nearest(
  header: HeaderReader,
  name: Settings['forwardedHeader'],
  chain: readonly Hop[],
): Omit<Hop, 'address'> {
  if (name === 'forwarded') return { host: chain.at(-1)?.host, protocol: chain.at(-1)?.protocol };
  const last = (field: string): string | undefined => header(field)?.split(',').at(-1)?.trim();
  return { host: last('x-forwarded-host'), protocol: last('x-forwarded-proto') };
}

/** `Forwarded` of RFC 7239, section 4: elements of `name=value` pairs, values being tokens or quoted strings. */
function parseForwarded(value: string): Hop[] {
  const pair = /\s*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+))\s*([,;]|$)/y;
  const chain: Hop[] = [];
  let hop: { address: string | undefined; host?: string; protocol?: string } = { address: undefined };
  for (;;) {
    const match = pair.exec(value);
    // What cannot be read ends the walk from the right, so it must stand in the chain.
    if (match === null) return [{ address: undefined }];
    const [, name = '', quoted, token = '', separator] = match;
    const text = quoted === undefined ? token : quoted.replace(/\\(.)/g, '$1');
    if (/^for$/i.test(name)) hop.address = canonicalAddress(text);
    else if (/^host$/i.test(name)) hop.host = text;
    else if (/^proto$/i.test(name)) hop.protocol = text.toLowerCase();
    if (separator === ';' && pair.lastIndex < value.length) continue;
    chain.push(hop);
    if (separator !== ',') return chain;
    hop = { address: undefined };
  }
}
