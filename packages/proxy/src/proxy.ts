import {
  type Component,
  componentName,
  type Duration,
  duration,
  type Exchange,
  InvalidOptionError,
  knownOptions,
  type Policy,
  problem,
  type Reply,
  text,
  WeirError,
} from '@weir/core';
import type { Pool } from '@weir/load-balancer';
import { closeWithinMs, Forwarder } from './internal/forwarder.ts';
import { Forwarding, type Upgraded } from './internal/forwarding.ts';
import { RequestBody } from './internal/request-body.ts';
import { requestHead } from './internal/request-head.ts';
import { forwardOptionNames, readSettings } from './internal/settings.ts';
import type { HedgeOptions, ProxyOptions } from './options.ts';

export interface CloseOptions {
  /** How long requests or tunnels may go on, 0 to 24 h; then they are cut. @default '30s' */
  readonly within?: Duration | undefined;
}

/** A policy that answers every request with what an upstream says, and owns the connections to them. */
export interface ProxyPolicy extends Policy, Component {
  readonly kind: 'proxy';
  readonly name: string;
  /** Answers 503 from now on, and ends the connections to all upstreams once their requests are done. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Passes requests on to a pool's upstreams and streams the answers back, with backpressure both ways.
 *
 * An upstream that fails is a failure for the pool, and the request goes to another one if it may; otherwise the
 * client gets 502, 504 or, with no upstream left, 503, as problem+json with `Proxy-Status` (RFC 9209). A client that
 * leaves closes the upstream's connection at once and blames nobody.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const pool = createPool(['http://10.0.0.7:8080', 'http://10.0.0.8:8080']);
 * createServer(weir(proxy(pool)).wrap(() => {})).listen(8080);
 */
export function proxy(pool: Pool, options: ProxyOptions = {}): ProxyPolicy {
  knownOptions(options, [...forwardOptionNames, 'hedge'], 'proxy');
  const forwarder = makeForwarder(pool, options, 'proxy');
  const { name, tally } = forwarder;
  return {
    kind: 'proxy',
    name,
    enter: (x) => enter(x, forwarder),
    snapshot: () => tally.snapshot(),
    metrics: () => tally.samples(name),
    close: async (options) => forwarder.close(readWithin(options)),
  };
}

function enter(x: Exchange, forwarder: Forwarder): Reply | Promise<Reply> {
  const { tally } = forwarder;
  if (forwarder.closed) {
    tally.refused += 1;
    return forwarder.reply('proxy_internal_response');
  }
  const { body } = x;
  if (body === undefined) {
    throw new WeirError(
      'ERR_WEIR_PROXY_NO_BODY',
      'this host gives policies no bodies: proxy() cannot work on it',
    );
  }
  const head = requestHead(x, body.requestHeaders(), forwarder.settings);
  if ('status' in head) {
    tally.refused += 1;
    return problem(head.status, { detail: head.detail });
  }
  const source = body.requestBody();
  return new Promise((resolve, reject) => {
    const waiting = { resolve: resolve as (answer: Reply | Upgraded) => void, reject };
    const sent = source === undefined ? undefined : new RequestBody(source);
    new Forwarding(x, forwarder, head, sent, undefined, waiting).begin();
  });
}

/** @throws InvalidOptionError if something is out of range. */
export function makeForwarder(pool: Pool, options: ProxyOptions, where: 'proxy' | 'upgrade'): Forwarder {
  if (typeof pool?.acquire !== 'function' || typeof pool.subscribe !== 'function') {
    throw new InvalidOptionError('pool', 'a pool of @weir/load-balancer', pool);
  }
  const name = componentName(where, options.name === undefined ? undefined : text(options.name, 'name'));
  const idle = where === 'upgrade' ? '1h' : '60s';
  return new Forwarder(name, pool, readSettings(options, readHedge(options.hedge), idle, where));
}

function readHedge(hedge: HedgeOptions | undefined): number {
  if (hedge === undefined) return 0;
  knownOptions(hedge, ['after'], 'proxy `hedge`');
  return duration(hedge.after, 'hedge.after', { min: 1, max: 3_600_000 });
}

/** @throws InvalidOptionError if it is no time. */
export function readWithin(options: CloseOptions = {}): number {
  knownOptions(options, ['within'], 'close');
  return duration(options.within ?? closeWithinMs, 'within', { min: 0, max: 86_400_000 });
}
