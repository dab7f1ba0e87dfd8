import { cacheResponses } from '@weir/cache/http';
import { createBreakers } from '@weir/circuit-breaker';
import { type Policy, problem, type Reply } from '@weir/core';
import type { Pool } from '@weir/load-balancer';
import { proxy, type Upgrade, upgrade } from '@weir/proxy';
import type { Store } from '@weir/rate-limit';
import { apiKeyPolicy } from '../api-key.ts';
import { bodyLimit } from '../body-limit.ts';
import type { GatewayConfig, RouteConfig } from '../config.ts';
import { corsPolicy } from '../cors.ts';
import { fallback } from '../fallback.ts';
import { jwtPolicy } from '../jwt.ts';
import { scopesPolicy } from '../scopes.ts';
import { buildLimiter, limitPolicy } from './build-limit.ts';
import { buildPool } from './build-pool.ts';
import { given } from './given.ts';
import { type Match, matcher } from './match.ts';
import type { Parts } from './parts.ts';
import { rewriteOf } from './target.ts';

/** A route, ready for requests. */
export interface Route {
  readonly matches: Match;
  /** In the order in which requests meet them; the last one answers. */
  readonly policies: readonly Policy[];
  /** What guards an upgrade, and what passes it on. */
  readonly upgrade: { readonly policies: readonly Policy[]; readonly listener: Upgrade } | undefined;
}

export function buildRoutes(config: GatewayConfig, parts: Parts, store: Store | undefined): Route[] {
  return config.routes.map((route, i) =>
    buildRoute(route, route.name ?? `route-${i + 1}`, config, parts, store),
  );
}

function buildRoute(
  route: RouteConfig,
  name: string,
  config: GatewayConfig,
  parts: Parts,
  store: Store | undefined,
): Route {
  const guards = [
    ...(route.cors === undefined ? [] : [corsPolicy(route.cors)]),
    ...authOf(route, config, parts),
    ...(route.limit === undefined ? [] : [limitOf(route.limit, route, name, parts, store)]),
  ];
  const policies = [
    ...guards,
    ...(route.maxBody === undefined ? [] : [bodyLimit(route.maxBody)]),
    ...(route.fallback === undefined ? [] : [fallback(replyOf(route.fallback))]),
    ...(route.cache === undefined ? [] : [cacheOf(route, name, config, parts)]),
  ];
  if (route.respond !== undefined) {
    const reply = replyOf(route.respond);
    policies.push({ name: 'respond', enter: () => reply });
    return { matches: matcher(route), policies, upgrade: undefined };
  }
  const forward = forwardOf(route, name, config, parts);
  policies.push(
    parts.get(`proxy ${name}`, forward.config, () =>
      proxy(forward.pool, { ...forward.options, ...forward.requestsOnly }),
    ),
  );
  const listener =
    route.websocket === true
      ? parts.get(`upgrade ${name}`, forward.config, () =>
          upgrade(forward.pool, { ...forward.options, protocols: ['websocket'] }),
        )
      : undefined;
  return { matches: matcher(route), policies, upgrade: listener && { policies: guards, listener } };
}

function authOf(route: RouteConfig, config: GatewayConfig, parts: Parts): Policy[] {
  if (typeof route.auth !== 'string') return [];
  const auth = config.auth?.[route.auth];
  if (auth === undefined) return [];
  const policy = parts.get(`auth ${route.auth}`, auth, () =>
    auth.type === 'jwt' ? jwtPolicy(auth) : apiKeyPolicy(auth),
  );
  return route.scopes === undefined ? [policy] : [policy, scopesPolicy(route.scopes)];
}

function limitOf(
  limit: NonNullable<RouteConfig['limit']>,
  route: RouteConfig,
  name: string,
  parts: Parts,
  store: Store | undefined,
): Policy {
  const counted = [limit.limits, limit.maxKeys];
  const limiter = parts.get(`limiter ${name}`, counted, () => buildLimiter(name, limit, store));
  return limitPolicy(limit, limiter, typeof route.auth === 'string');
}

function cacheOf(route: RouteConfig, name: string, config: GatewayConfig, parts: Parts): Policy {
  const auth = typeof route.auth === 'string' ? config.auth?.[route.auth] : undefined;
  // What one caller was answered is not for another one, unless an origin says so about `Authorization` itself.
  const keyHeaders = auth?.type === 'api-key' ? [auth.header ?? 'x-api-key'] : undefined;
  const options = given({ name, ...route.cache, keyHeaders });
  return parts.get(`cache ${name}`, options, () => cacheResponses(options as never));
}

function forwardOf(route: RouteConfig, name: string, config: GatewayConfig, parts: Parts) {
  const id = route.upstream as string;
  const upstream = config.upstreams[id] as GatewayConfig['upstreams'][string];
  const { breaker, tls, ...pooled } = upstream;
  const pool: Pool = parts.get(`pool ${id}`, pooled, () => buildPool(id, upstream));
  const breakers =
    breaker &&
    parts.get(`breakers ${id}`, breaker, () =>
      createBreakers(given({ name: id, max: 1_000, ...breaker }) as never),
    );
  const { stripPrefix, addPrefix, query, headers, timeout, retry, hedgeAfter } = route;
  const options = given({
    name,
    timeout: timeout && given(timeout),
    retry: retry === false ? retry : retry && given(retry),
    headers: headers && given(headers),
    tls: tls && given(tls),
    breaker: breakers,
    rewrite: rewriteOf(route),
  }) as object;
  return {
    pool,
    options,
    requestsOnly: hedgeAfter === undefined ? {} : { hedge: { after: hedgeAfter as never } },
    /** All that a proxy depends on: if any of it changes, there is a new one. */
    config: { upstream, stripPrefix, addPrefix, query, headers, timeout, retry, hedgeAfter },
  };
}

function replyOf({ status, headers = {}, body }: NonNullable<RouteConfig['respond']>): Reply {
  const pairs = Object.entries(headers).flatMap(([field, value]) => [field.toLowerCase(), value]);
  return given({ status, kind: 'ok' as const, headers: pairs, body });
}

export const notFound: Policy = {
  name: 'not-found',
  enter: () => unknownRoute,
};
const unknownRoute = problem(404, { detail: 'No route is for this.' });

export const ambiguous: Policy = {
  name: 'plain-path',
  enter: () => ambiguousPath,
};
const ambiguousPath = problem(400, { detail: 'The path does not say plainly where it leads.' });
