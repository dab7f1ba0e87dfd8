import type { Readable } from 'node:stream';
import {
  type Duration,
  duration,
  type Exchange,
  integer,
  knownOptions,
  type Policy,
  problem,
  type Reply,
} from '@weir/core';
import type { Lease, Pool } from '@weir/load-balancer';
import { Pool as Connections, type Dispatcher } from 'undici';
import { requestHeaders } from './headers.ts';
import { RequestBody } from './request-body.ts';
import { UpstreamResponse } from './response.ts';

/** How requests are passed on. */
export interface ProxyOptions {
  /** When a request may be sent again, to another upstream. Only requests that are idempotent and have no body are. */
  readonly retry?: {
    /** Further tries after the first. Integer, 0 to 10. @default 1 */
    readonly max?: number;
  };
  /** How long to wait for an upstream, each 1 ms to 1 h. */
  readonly timeout?: {
    /** For a connection. @default '5s' */
    readonly connect?: Duration;
    /** For the head of the response. @default '30s' */
    readonly head?: Duration;
    /** Between two pieces of the body. @default '60s' */
    readonly idle?: Duration;
  };
}

/** A policy that owns connections. */
export interface ProxyPolicy extends Policy {
  /** Ends the connections to all upstreams, once their requests are done. */
  close(): Promise<void>;
}

interface Settings {
  readonly retries: number;
  readonly connectMs: number;
  readonly headMs: number;
  readonly idleMs: number;
}

const noUpstream = problem(503, {
  detail: 'No upstream is available.',
  headers: ['retry-after', '1'],
  kind: 'error',
});
const badGateway = problem(502, { detail: 'The upstream could not be reached or broke off.', kind: 'error' });
const gatewayTimeout = problem(504, { detail: 'The upstream did not answer in time.', kind: 'error' });

/** Methods that may be sent twice (RFC 9110, 9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/**
 * Passes requests on to a pool's upstreams and streams the answers back, with backpressure both ways. The path and
 * query go out as they came in.
 *
 * An upstream that cannot be reached is a failure for the pool, and the request goes to another one if it may be sent
 * twice; otherwise the client gets 502, 504 or, with no upstream left, 503, as problem+json.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const pool = createPool(['http://10.0.0.7:8080', 'http://10.0.0.8:8080']);
 * createServer(weir(proxy(pool)).wrap(() => {})).listen(8080);
 */
export function proxy(pool: Pool, options: ProxyOptions = {}): ProxyPolicy {
  const settings = readSettings(options);
  const connections = new Map<string, Connections>();
  const connectionsTo = (url: string): Connections => {
    let found = connections.get(url);
    if (found === undefined) {
      found = new Connections(url, {
        connect: { timeout: settings.connectMs },
        headersTimeout: settings.headMs,
        bodyTimeout: settings.idleMs,
      });
      connections.set(url, found);
    }
    return found;
  };
  return {
    name: 'proxy',
    enter: (x) =>
      new Promise<Reply>((resolve) => new Forwarding(x, pool, settings, connectionsTo, resolve).next()),
    async close() {
      await Promise.all([...connections.values()].map((each) => each.close()));
      connections.clear();
    },
  };
}

/** One request on its way, over as many tries as it may have. */
class Forwarding {
  readonly #x: Exchange;
  readonly #pool: Pool;
  readonly #settings: Settings;
  readonly #connectionsTo: (url: string) => Dispatcher;
  readonly #resolve: (reply: Reply) => void;
  readonly #headers: string[];
  readonly #body: RequestBody | undefined;
  readonly #target: string;
  readonly #tried: string[] = [];
  #current: UpstreamResponse | undefined;

  constructor(
    x: Exchange,
    pool: Pool,
    settings: Settings,
    connectionsTo: (url: string) => Dispatcher,
    resolve: (reply: Reply) => void,
  ) {
    const { body } = x;
    if (body === undefined) throw new Error('this host gives policies no bodies: proxy() cannot work on it');
    this.#x = x;
    this.#pool = pool;
    this.#settings = settings;
    this.#connectionsTo = connectionsTo;
    this.#resolve = resolve;
    this.#headers = requestHeaders(x, body.requestHeaders());
    const source = body.requestBody();
    this.#body = source === undefined ? undefined : new RequestBody(source);
    this.#target = targetOf(x);
    x.signal.addEventListener('abort', () => this.#current?.cancel(x.signal.reason), { once: true });
  }

  next(): void {
    const lease = this.#pool.acquire({ ip: this.#x.ip, exclude: this.#tried });
    if (lease === undefined) {
      this.#answer(this.#tried.length === 0 ? noUpstream : badGateway);
      return;
    }
    this.#tried.push(lease.upstream.url);
    const response = new UpstreamResponse({
      replied: (reply) => this.#resolve(reply),
      failed: (error) => this.#failed(lease, error),
      ended: (outcome) => lease.release({ outcome }),
    });
    this.#current = response;
    this.#connectionsTo(lease.upstream.url).dispatch(
      {
        origin: lease.upstream.url,
        path: this.#target,
        method: this.#x.method as Dispatcher.HttpMethod,
        headers: this.#headers,
        body: (this.#body ?? null) as Readable | null,
      },
      response,
    );
  }

  #failed(lease: Lease, error: Error & { code?: string }): void {
    if (this.#x.signal.aborted) {
      lease.release({ outcome: 'ignore' });
      this.#answer(badGateway);
      return;
    }
    lease.release({ outcome: 'failure' });
    const sendable = idempotent.has(this.#x.method) && this.#body === undefined;
    if (sendable && this.#tried.length <= this.#settings.retries) this.next();
    else this.#answer(error.code?.endsWith('_TIMEOUT') === true ? gatewayTimeout : badGateway);
  }

  #answer(reply: Reply): void {
    this.#body?.discard();
    this.#resolve(reply);
  }
}

/** Path and query as received; of an absolute-form target only these, so that it cannot name another host. */
function targetOf(x: Exchange): string {
  const query = x.url.indexOf('?');
  return query === -1 ? x.path : x.path + x.url.slice(query);
}

function readSettings(options: ProxyOptions): Settings {
  knownOptions(options, ['retry', 'timeout'], 'proxy');
  const { retry = {}, timeout = {} } = options;
  knownOptions(retry, ['max'], 'proxy `retry`');
  knownOptions(timeout, ['connect', 'head', 'idle'], 'proxy `timeout`');
  const wait = (value: Duration | undefined, fallback: Duration, name: string): number =>
    duration(value ?? fallback, `timeout.${name}`, { min: 1, max: 3_600_000 });
  return {
    retries: integer(retry.max ?? 1, 'retry.max', 0, 10),
    connectMs: wait(timeout.connect, '5s', 'connect'),
    headMs: wait(timeout.head, '30s', 'head'),
    idleMs: wait(timeout.idle, '60s', 'idle'),
  };
}
