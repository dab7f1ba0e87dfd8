import { type Clock, createKey, type Exchange, type Key } from '@weir/core';
import type { Decision } from './decision.ts';
import type { LimitState } from './limit.ts';

/**
 * How the limits are told to the client:
 *
 * - `draft-11`: `RateLimit` and `RateLimit-Policy` as lists of items, one for each limit
 *   (draft-ietf-httpapi-ratelimit-headers-11);
 * - `draft-7`: `RateLimit: limit=100, remaining=50, reset=5` of the tightest limit, and `RateLimit-Policy: 100;w=60`;
 * - `draft-6`: the same in `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`;
 * - `legacy`: `X-RateLimit-Limit`, `-Remaining`, `-Reset`, the last one in seconds since 1970.
 */
export type HeaderStyle = 'draft-11' | 'draft-7' | 'draft-6' | 'legacy' | false;

export type WriteHeaders = (x: Exchange, decision: Decision) => void;

/** The least that any limiter of this exchange had left, for headers that can tell of one limit only. */
const least: Key<number> = /* @__PURE__ */ createKey('weir:rate-limit:least');

/** Whole seconds, rounded up: a wait is never told too short. */
export const inSeconds = (ms: number): number => Math.ceil(ms / 1000);

export function headerWriter(style: HeaderStyle, clock: Clock): WriteHeaders {
  if (style === false) return () => {};
  if (style === 'draft-11') return draft11();
  const policies = remembered((limits) =>
    limits.map((state) => `${state.limit};w=${inSeconds(state.windowMs)}`).join(', '),
  );
  return (x, decision) => {
    if (decision.limits.length === 0) return;
    if (style !== 'legacy') x.appendHeader('ratelimit-policy', policies(decision.limits));
    const { limit, remaining } = decision;
    if (decision.allowed && remaining >= (x.get(least) ?? Number.POSITIVE_INFINITY)) return;
    x.set(least, remaining);
    const reset = effectiveMs(decision);
    if (style === 'draft-7') {
      x.setHeader('ratelimit', `limit=${limit}, remaining=${remaining}, reset=${inSeconds(reset)}`);
      return;
    }
    const prefix = style === 'draft-6' ? 'ratelimit-' : 'x-ratelimit-';
    x.setHeader(`${prefix}limit`, String(limit));
    x.setHeader(`${prefix}remaining`, String(remaining));
    x.setHeader(`${prefix}reset`, String(inSeconds(style === 'draft-6' ? reset : clock.epoch() + reset)));
  };
}

function draft11(): WriteHeaders {
  const told = remembered((limits) => {
    const names = limits.map(({ policy }) => quoted(policy));
    const items = limits.map(({ limit, windowMs }, i) => `${names[i]};q=${limit};w=${inSeconds(windowMs)}`);
    return { names, policies: items.join(', ') };
  });
  return (x, { limits }) => {
    if (limits.length === 0) return;
    const { names, policies } = told(limits);
    let field = '';
    for (let i = 0; i < limits.length; i += 1) {
      if (i > 0) field += ', ';
      field += `${names[i]};r=${limits[i]!.remaining};t=${inSeconds(effectiveMs(limits[i]!))}`;
    }
    x.appendHeader('ratelimit-policy', policies);
    x.appendHeader('ratelimit', field);
  };
}

/** How long what remains has to last: until there is room, or until all is back. Never earlier than Retry-After says. */
function effectiveMs({ retryAfterMs, resetMs }: { retryAfterMs: number; resetMs: number }): number {
  return retryAfterMs === 0 || retryAfterMs === Number.POSITIVE_INFINITY ? resetMs : retryAfterMs;
}

/** An RFC 9651 String. Names hold printable ASCII only. */
const quoted = (name: string): string => `"${name.replace(/["\\]/g, '\\$&')}"`;

/** Builds what follows from the limits alone once, and again only when other limits come. */
function remembered<T>(build: (limits: readonly LimitState[]) => T): (limits: readonly LimitState[]) => T {
  let last: readonly LimitState[] = [];
  let built: T;
  return (limits) => {
    if (!sameLimits(limits, last)) {
      built = build(limits);
      last = limits;
    }
    return built;
  };
}

function sameLimits(a: readonly LimitState[], b: readonly LimitState[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    const [left, right] = [a[i]!, b[i]!];
    if (left.policy !== right.policy || left.limit !== right.limit || left.windowMs !== right.windowMs) {
      return false;
    }
  }
  return true;
}
