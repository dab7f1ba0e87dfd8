import { isIP } from 'node:net';
import type { Pool, Upstream } from '@weir/load-balancer';
import { buildConnector, type Dispatcher, Pool as UndiciPool } from 'undici';
import type { Settings } from './settings.ts';

/** The connections to one upstream, and what every request on them says. */
export interface Connected {
  readonly dispatcher: Dispatcher;
  /** The `Host` to send where the URL holds an address of a named host. */
  readonly host: string | undefined;
  /** Constant for an upstream and never the client's word: undici would reconnect for each change. */
  readonly servername: string | undefined;
}

/** Connections to the upstreams of a pool, made when first needed and ended when an upstream leaves the pool. */
export class Connections {
  readonly #settings: Settings;
  readonly #open = new Map<Upstream, Connected>();
  readonly #unsubscribe: () => void;
  /** Those that finish what they have. */
  readonly #closing = new Set<Dispatcher>();

  constructor(pool: Pool, settings: Settings) {
    this.#settings = settings;
    this.#unsubscribe = pool.subscribe(({ type, upstream }) => {
      if (type === 'removed') void this.#drop(upstream);
    });
  }

  to(upstream: Upstream): Connected {
    let connected = this.#open.get(upstream);
    if (connected === undefined) this.#open.set(upstream, (connected = connect(upstream, this.#settings)));
    return connected;
  }

  /** Lets requests finish, for so long, then cuts them. */
  async close(withinMs: number): Promise<void> {
    this.#unsubscribe();
    for (const upstream of this.#open.keys()) void this.#drop(upstream);
    const closing = [...this.#closing];
    const timer = setTimeout(() => {
      for (const dispatcher of closing) void dispatcher.destroy(new Error('the proxy is shutting down'));
    }, withinMs);
    await Promise.all(closing.map((dispatcher) => dispatcher.close()));
    clearTimeout(timer);
  }

  async #drop(upstream: Upstream): Promise<void> {
    const connected = this.#open.get(upstream);
    if (connected === undefined) return;
    this.#open.delete(upstream);
    const { dispatcher } = connected;
    this.#closing.add(dispatcher);
    await dispatcher.close();
    this.#closing.delete(dispatcher);
  }
}

function connect(upstream: Upstream, settings: Settings): Connected {
  const { connectMs, idleMs, tls } = settings;
  const { protocol, hostname, port } = new URL(upstream.url);
  const name = upstream.hostname ?? hostname;
  const servername = tls.servername ?? name;
  const connectSocket = buildConnector({
    timeout: Math.ceil(connectMs),
    // What is spoken to upstreams is HTTP/1.1; answers, errors and tunnels look different in HTTP/2.
    allowH2: false,
    ...(protocol === 'https:' ? (tls as buildConnector.BuildOptions) : {}),
  });
  return {
    dispatcher: new UndiciPool(upstream.url, {
      // An address is no name for TLS to send; the certificate is then checked against the address.
      connect: (options, callback) =>
        connectSocket({ ...options, servername: isIP(servername) === 0 ? servername : '' }, callback),
      allowH2: false,
      // Its own is late by up to a second, and stops while a body is sent; see `Try.expect`.
      headersTimeout: 0,
      bodyTimeout: Math.ceil(idleMs),
    }),
    host: upstream.hostname === undefined ? undefined : `${name}${port === '' ? '' : `:${port}`}`,
    servername: protocol === 'https:' ? servername : undefined,
  };
}
