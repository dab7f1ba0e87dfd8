import type { Exchange, Pairs } from '@weir/core';

/** Fields that speak of one connection only (RFC 9110, 7.6.1) and end here. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields of a request that this proxy writes itself, or has dealt with: it asks for no second `100 Continue`. */
const written = new Set([
  'host',
  'expect',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** Fields that a sender must not be able to take away by naming them in `Connection`. */
const kept = new Set(['authorization', 'content-length', 'cookie']);

/**
 * The fields for the upstream. Where the client comes from is told anew, from what this process knows: an address
 * that some client claims for itself never gets through.
 */
export function requestHeaders(x: Exchange, received: Pairs): string[] {
  const named = namedInConnection(received);
  const pairs: string[] = [];
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i] as string;
    if (hopByHop.has(name) || written.has(name) || (named?.has(name) === true && !kept.has(name))) continue;
    pairs.push(name, received[i + 1] as string);
  }
  pairs.push('x-forwarded-for', x.ip, 'x-forwarded-proto', x.protocol);
  if (x.host !== '') pairs.push('x-forwarded-host', x.host);
  return pairs;
}

/** The fields for the client, from the list that the parser made. */
export function responseHeaders(raw: readonly (Buffer | string)[]): string[] {
  const received = raw.map((part, i) => {
    const text = typeof part === 'string' ? part : part.toString('latin1');
    return i % 2 === 0 ? text.toLowerCase() : text;
  });
  const named = namedInConnection(received);
  if (named === undefined && !received.some((part, i) => i % 2 === 0 && hopByHop.has(part))) return received;
  const pairs: string[] = [];
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i] as string;
    if (!hopByHop.has(name) && named?.has(name) !== true) pairs.push(name, received[i + 1] as string);
  }
  return pairs;
}

/** The fields that `Connection` declares to be hop-by-hop, beside the usual ones. */
function namedInConnection(pairs: Pairs): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (let i = 0; i < pairs.length; i += 2) {
    const value = pairs[i] === 'connection' ? (pairs[i + 1] as string).toLowerCase() : '';
    if (value === '' || value === 'keep-alive' || value === 'close') continue;
    named ??= new Set();
    for (const name of value.split(',')) named.add(name.trim());
  }
  return named;
}
