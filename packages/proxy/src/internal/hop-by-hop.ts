/**
 * Fields that speak of one connection only (RFC 9110, 7.6.1) and end here, both ways. `Trailer` and `TE` are among them
 * because trailers end here too.
 */
export const hopByHop: ReadonlySet<string> = new Set([
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

/**
 * Fields that a sender cannot take away by naming them in `Connection`: what the message means would depend on whether
 * they are there. The forwarding fields need no place here, being written after the others were dropped.
 */
const kept = new Set(['authorization', 'cache-control', 'content-length', 'content-type', 'cookie', 'host']);

/** The fields that a `Connection` field declares to be hop-by-hop, beside the usual ones. */
export function namedIn(connection: string): ReadonlySet<string> | undefined {
  // As almost always.
  if (connection === 'keep-alive' || connection === 'close') return undefined;
  let named: Set<string> | undefined;
  for (const part of connection.toLowerCase().split(',')) {
    const name = part.trim();
    if (name === '' || hopByHop.has(name) || kept.has(name)) continue;
    named ??= new Set();
    named.add(name);
  }
  return named;
}
