import { connect } from 'node:net';
import { integer, knownOptions } from '@weir/core';
import type { Check } from './health.ts';

export interface TcpCheckOptions {
  /** Port that is tried. Integer, 1 to 65,535. @default that of the upstream's URL */
  readonly port?: number;
}

/**
 * A health check that opens a TCP connection and closes it again: it shows that somebody listens, no more.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * createPool(urls, { health: { check: tcpCheck() } });
 */
export function tcpCheck(options: TcpCheckOptions = {}): Check {
  knownOptions(options, ['port'], 'tcpCheck');
  const { port } = options;
  if (port !== undefined) integer(port, 'port', 1, 65_535);
  return (upstream, signal) => {
    const url = new URL(upstream.url);
    const usual = url.protocol === 'https:' ? 443 : 80;
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port: port ?? (Number(url.port) || usual) });
      const abort = (): void => void socket.destroy(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      socket.on('connect', () => {
        resolve();
        socket.destroy();
      });
      socket.on('error', reject);
      socket.on('close', () => signal.removeEventListener('abort', abort));
      if (signal.aborted) abort();
    });
  };
}
