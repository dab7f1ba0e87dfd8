import type { Exchange } from '@weir/core';

/** Fields in which a client could claim to be somebody else, in any spelling that a CGI-like upstream folds together. */
export function isForwardingField(name: string): boolean {
  const first = name.charCodeAt(0);
  // Neither x nor f, as most.
  if (first !== 120 && first !== 102) return false;
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
  return plain.startsWith('x-forwarded-') || plain === 'forwarded' || plain === 'x-real-ip';
}

/** The fields among them that are written here. */
export function isWrittenHere(name: string): boolean {
  return (
    name === 'forwarded' ||
    name === 'x-forwarded-for' ||
    name === 'x-forwarded-host' ||
    name === 'x-forwarded-proto' ||
    name.includes('_')
  );
}

/**
 * Tells where a request comes from. The client is whoever this process takes for the client; if it looked through
 * trusted hops to find out, the last of them follows. Nothing is copied from what was received.
 */
export function addForwarded(
  pairs: string[],
  x: Exchange,
  peer: string | undefined,
  style: 'x-forwarded' | 'forwarded' | 'both',
): void {
  const { ip, host, protocol } = x;
  const seenThrough = peer !== undefined && peer !== ip;
  if (style !== 'forwarded') {
    pairs.push('x-forwarded-for', seenThrough ? `${ip}, ${peer}` : ip, 'x-forwarded-proto', protocol);
    if (host !== '') pairs.push('x-forwarded-host', host);
  }
  if (style !== 'x-forwarded') {
    let element = `for=${node(ip)};proto=${protocol}`;
    if (host !== '') element += `;host=${quoted(host)}`;
    pairs.push('forwarded', seenThrough ? `${element}, for=${node(peer)}` : element);
  }
}

/** An address as RFC 7239, section 6, writes it. */
function node(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;

function quoted(text: string): string {
  return token.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}
