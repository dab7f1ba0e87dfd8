import type { Exchange } from '@weir/core';

/** The request of node:http or node:http2 below an exchange. */
interface NativeRequest {
  readonly httpVersionMajor?: number;
  readonly socket?: { readonly remoteAddress?: string | undefined };
}

/**
 * What the contract does not tell, from where the exchanges of all Node hosts keep it. On a host that does not let it be
 * seen, only an address is missing in the chain, and HTTP/2 is called 1.1.
 */
function nativeRequest(x: Exchange): NativeRequest | undefined {
  return (x as { readonly req?: NativeRequest }).req;
}

/** The address at the other end of the connection. */
export function peerOf(x: Exchange): string | undefined {
  const address = nativeRequest(x)?.socket?.remoteAddress;
  return address?.startsWith('::ffff:') === true && address.includes('.') ? address.slice(7) : address;
}

/** The version of HTTP that the request came in, as `Via` names it. */
export function protocolVersion(x: Exchange): '1.1' | '2.0' {
  return nativeRequest(x)?.httpVersionMajor === 2 ? '2.0' : '1.1';
}
