import { cacheResponses } from '@weir/cache/http';
import { countWindow, createBreakers, timeWindow } from '@weir/circuit-breaker';
import { type Policy, problem, type Reply } from '@weir/core';
import type { Pool } from '@weir/load-balancer';
import { proxy, type Upgrade, upgrade } from '@weir/proxy';
import { apiKeyPolicy } from '../api-key.ts';
import { bodyLimit } from '../body-limit.ts';
import { type GatewayConfig, type RouteConfig, routeName, type UpstreamConfig } from '../config.ts';
import { corsPolicy } from '../cors.ts';
import { fallback } from '../fallback.ts';
import { jwtPolicy } from '../jwt.ts';
import { accountOf, loginLimits } from '../login.ts';
import { scopesPolicy } from '../scopes.ts';
import { buildLimiter, limitPolicy } from './build-limit.ts';
import { buildPool } from './build-pool.ts';
import { given } from './given.ts';
import { type Match, matcher } from './match.ts';
import type { Parts } from './parts.ts';
import type { Shared } from './shared.ts';
import { rewriteOf } from './target.ts';

/** A route, ready for requests. */
export interface Route {
  readonly name: string;
  readonly matches: Match;
  /** In the order in which requests meet them; the last one answers. */
  readonly policies: readonly Policy[];
  /** What guards an upgrade, and what passes it on. */
  readonly upgrade: { readonly policies: readonly Policy[]; readonly listener: Upgrade } | undefined;
  /** What asks the upstream, if it has one. */
  readonly origin: Policy | undefined;
}

/** What routes are built from. */
export interface Materials {
  readonly config: GatewayConfig;
  readonly parts: Parts;
  readonly shared: Shared;
  /** What asks the upstream of a route as it is when it is needed: what outlives a reload must not hold on to it. */
  readonly originOf: (route: string) => Policy | undefined;
}

export function buildRoutes(materials: Materials): Route[] {
  return materials.config.routes.map((route, i) => buildRoute(route, routeName(route, i), materials));
}

function buildRoute(route: RouteConfig, name: string, materials: Materials): Route {
  const { config, parts } = materials;
  const guards = [
    ...(route.cors === undefined ? [] : [corsPolicy(route.cors)]),
    ...authOf(route, config, parts),
    ...(route.limit === undefined ? [] : [limitOf(route.limit, route, name, materials)]),
  ];
  const policies = [
    ...guards,
    ...(route.maxBody === undefined ? [] : [bodyLimit(route.maxBody)]),
    ...(route.login === undefined ? [] : loginOf(route.login, name, materials)),
    ...(route.fallback === undefined ? [] : [fallback(replyOf(route.fallback))]),
    ...(route.cache === undefined ? [] : [cacheOf(route, name, materials)]),
  ];
  const matches = matcher(route);
  if (route.respond !== undefined) {
    const reply = replyOf(route.respond);
    policies.push({ name: 'respond', enter: () => reply });
    return { name, matches, policies, upgrade: undefined, origin: undefined };
  }
  const forward = forwardOf(route, name, config, parts);
  const origin = parts.get(`proxy ${name}`, forward.config, () =>
    proxy(forward.pool, { ...forward.options, ...forward.requestsOnly }),
  );
  policies.push(origin);
  const listener =
    route.websocket === true
      ? parts.get(`upgrade ${name}`, forward.config, () =>
          upgrade(forward.pool, { ...forward.options, name: `${name} (upgrade)`, protocols: ['websocket'] }),
        )
      : undefined;
  return { name, matches, policies, upgrade: listener && { policies: guards, listener }, origin };
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
  { parts, shared }: Materials,
): Policy {
  const counted = [limit.limits, limit.maxKeys, limit.onStoreError];
  const limiter = parts.get(`limiter ${name}`, counted, () => buildLimiter(name, limit, shared));
  return limitPolicy(limit, limiter, typeof route.auth === 'string');
}

function loginOf(
  login: NonNullable<RouteConfig['login']>,
  name: string,
  { parts, shared }: Materials,
): readonly Policy[] {
  const limits = parts.get(`login ${name}`, login, () => loginLimits(name, login, shared));
  // Each is a part of its own, to be shown.
  for (const { limiter } of limits) parts.get(`login ${name} ${limiter.name}`, login, () => limiter);
  return [...accountOf(login), ...limits];
}

function cacheOf(route: RouteConfig, name: string, { config, parts, shared, originOf }: Materials): Policy {
  const auth = typeof route.auth === 'string' ? config.auth?.[route.auth] : undefined;
  // What one caller was answered is not for another one, unless an origin says so about `Authorization` itself.
  const keyHeaders = auth?.type === 'api-key' ? [auth.header ?? 'x-api-key'] : undefined;
  const options = given({ name, ...route.cache, keyHeaders });
  const origin: Policy = { name: 'origin', enter: (x) => originOf(name)?.enter(x) };
  const background = route.upstream === undefined ? undefined : { origin };
  return parts.get(`cache ${name}`, options, () =>
    cacheResponses(given({ ...options, background, bus: shared.bus }) as never),
  );
}

function forwardOf(route: RouteConfig, name: string, config: GatewayConfig, parts: Parts) {
  const id = route.upstream as string;
  const upstream = config.upstreams[id] as GatewayConfig['upstreams'][string];
  const { breaker, tls, ...pooled } = upstream;
  const pool: Pool = parts.get(`pool ${id}`, pooled, () => buildPool(id, upstream));
  const breakers =
    breaker &&
    parts.get(`breakers ${id}`, breaker, () => {
      const options = { name: id, max: 1_000, showKeys: true, ...breaker, window: windowOf(breaker) };
      return createBreakers(given(options) as never);
    });
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

function windowOf({ window }: NonNullable<UpstreamConfig['breaker']>): object | undefined {
  if (window === undefined) return undefined;
  return window.calls === undefined ? timeWindow(window.time as never) : countWindow(window.calls);
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
