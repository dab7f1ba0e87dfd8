import type { BreakerOptions, Breakers } from '@weir/circuit-breaker';
import type { Clock, Duration, Exchange } from '@weir/core';
import type { Upstream } from '@weir/load-balancer';
import type { RetryBudget, RetryBudgetOptions } from '@weir/resilience';
import type { HeaderFields } from './header-fields.ts';

/** What holds for requests and for upgrades alike. */
export interface ForwardOptions {
  /** Shown in metrics. @default 'proxy-<n>' */
  readonly name?: string | undefined;
  /** When a request is sent to another upstream after one has failed it; false: never. @default {} */
  readonly retry?: RetryOptions | false | undefined;
  /** How long to wait for an upstream. */
  readonly timeout?: TimeoutOptions | undefined;
  /**
   * A circuit breaker for each upstream, asked while choosing: one that is open is passed over, and the route stays open
   * as long as any other admits. Breakers of your own can be shared and shown in metrics.
   *
   * @default none
   */
  readonly breaker?: Breakers | Omit<BreakerOptions, 'clock'> | undefined;
  /** What the request is about, for strategies that send the same key to the same upstream. @default none */
  readonly key?: ((x: Exchange) => string | undefined) | undefined;
  /**
   * How the upstream is told where a request comes from: `X-Forwarded-For`, `-Host` and `-Proto`, the one `Forwarded`
   * (RFC 7239), both, or not at all. What a client claims in such fields never gets through; see the README.
   *
   * @default 'x-forwarded'
   */
  readonly forwarded?: 'x-forwarded' | 'forwarded' | 'both' | false | undefined;
  /** What this proxy calls itself in `Via` and `Proxy-Status`: a token; false leaves both out. @default 'weir' */
  readonly via?: string | false | undefined;
  /** Which host the upstream sees in `Host`: its own, or the one that the client asked for. @default 'upstream' */
  readonly host?: 'upstream' | 'client' | undefined;
  /**
   * Makes the path and query to ask for out of those received, which come byte for byte; see {@link stripPrefix}. What
   * does not begin with `/`, or holds a space or a control character, is answered with 400.
   *
   * @default as received
   */
  readonly rewrite?: ((target: string, x: Exchange) => string) | undefined;
  /** Header fields to set (a string) or to remove (false), by name, on the way to the upstream and back. */
  readonly headers?:
    | { readonly request?: HeaderRules | undefined; readonly response?: HeaderRules | undefined }
    | undefined;
  /** Changes a request before it goes out, after `rewrite` and `headers`. Once, however often it is tried. */
  readonly onRequest?: ((request: OutgoingRequest, x: Exchange) => void) | undefined;
  /** Changes the head of the response before it goes to the client, after `headers`. */
  readonly onResponse?: ((response: IncomingResponse, x: Exchange) => void) | undefined;
  /** For upstreams whose URL says https. */
  readonly tls?: TlsOptions | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** How requests are passed on. */
export interface ProxyOptions extends ForwardOptions {
  /** Begins a second try beside one that takes long, on another upstream; the first head wins. @default none */
  readonly hedge?: HedgeOptions | undefined;
}

/** How upgrades are passed on. */
export interface UpgradeOptions extends ForwardOptions {
  /**
   * The protocols to let through, such as `['websocket']`. `h2c` never is: a tunnel to HTTP/2 would carry requests past
   * every rule of this proxy.
   *
   * @default any other
   */
  readonly protocols?: readonly string[] | undefined;
}

/** Header fields to set, or to remove. */
export interface HeaderRules {
  readonly [name: string]: string | false;
}

/**
 * A request that was not sent at all, because the connection failed, goes to another upstream whatever it is. One that
 * was sent goes again only if its method is idempotent (RFC 9110, 9.2.2) and it has no body.
 */
export interface RetryOptions {
  /** Further tries after the first, each on an upstream not tried before. Integer, 0 to 10. @default 2 */
  readonly max?: number | undefined;
  /** Answers worth another try, 400 to 599 each. @default [502, 503, 504] */
  readonly statuses?: readonly number[] | undefined;
  /**
   * The longest `Retry-After` to wait for; an answer that asks for more is passed on as it is. 0 to 1 min.
   *
   * @default '2s'
   */
  readonly maxWait?: Duration | undefined;
  /** Bounds tries after the first and hedges, for requests that were sent. @default { ratio: 0.2 } */
  readonly budget?: RetryBudget | RetryBudgetOptions | undefined;
}

/** Requests that may be sent twice, as for {@link RetryOptions}. Counts as one of `retry.max`, under the same budget. */
export interface HedgeOptions {
  /** How long to wait for the head of a response. 1 ms to 1 h. */
  readonly after: Duration;
}

/** Each 1 ms to 24 h. */
export interface TimeoutOptions {
  /** For a connection, TLS included. @default '5s' */
  readonly connect?: Duration | undefined;
  /**
   * For the head of the response, on each try, the connection included. While a body is being sent, only as long as the
   * upstream takes nothing; waiting for the client's next piece does not count.
   *
   * @default '30s'
   */
  readonly head?: Duration | undefined;
  /** Between two pieces of the response's body; of a tunnel, either way. @default '60s', for a tunnel '1h' */
  readonly idle?: Duration | undefined;
  /** For the head of the response over all tries, waits and the sending of the body. @default none */
  readonly total?: Duration | undefined;
}

/** How upstreams prove who they are, and how this proxy does. As in `node:tls`. */
export interface TlsOptions {
  /** Whom to trust, in place of the well-known authorities. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** The proxy's own certificate, for upstreams that ask for one. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** The name that the certificate must carry. @default the upstream's host */
  readonly servername?: string | undefined;
  /** False takes any certificate. @default true */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** A request on its way out. */
export interface OutgoingRequest {
  readonly method: string;
  /** Path and query. */
  target: string;
  readonly headers: HeaderFields;
}

/** The head of an upstream's response. */
export interface IncomingResponse {
  /** 200 to 599. */
  readonly status: number;
  readonly headers: HeaderFields;
  readonly upstream: Upstream;
}
