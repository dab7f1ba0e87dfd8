import type { Exchange } from '@weir/core';
import {
  createLimiter,
  fixedWindow,
  type Limit,
  leakyBucket,
  type RateLimitPolicy,
  rateLimit,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '@weir/rate-limit';
import type { RouteConfig } from '../config.ts';
import { identityKey } from '../identity.ts';
import { given } from './given.ts';
import type { Shared } from './shared.ts';

type LimitConfig = NonNullable<RouteConfig['limit']>;
type OneLimit = Exclude<LimitConfig['limits'], readonly unknown[]>;
const makers = { fixedWindow, slidingLog, slidingWindow, tokenBucket, leakyBucket };

export function buildLimit({ algorithm = 'tokenBucket', ...options }: OneLimit): Limit {
  return makers[algorithm](given(options) as never);
}

/** The options of a limiter that counts with other processes; none if it is alone. */
export function storeOptions(
  { limits }: Shared,
  onStoreError: LimitConfig['onStoreError'],
): { readonly [option: string]: unknown } {
  if (limits === undefined) return {};
  return { store: limits.store, ...limits.options, ...given({ onStoreError }) };
}

export function buildLimiter(name: string, config: LimitConfig, shared: Shared): object {
  const limits = [config.limits].flat().map(buildLimit);
  const { maxKeys, onStoreError } = config;
  return createLimiter(given({ name, limits, maxKeys, ...storeOptions(shared, onStoreError) }) as never);
}

/** Who has signed in counts by who they are, everybody else by address. */
const byIdentity = (x: Exchange): string | undefined => {
  const id = x.get(identityKey)?.id;
  return id === undefined ? undefined : `id=${id}`;
};

export function limitPolicy(config: LimitConfig, limiter: object, authenticated: boolean): RateLimitPolicy {
  const { by = authenticated ? 'identity' : 'address', shadow, headers } = config;
  return rateLimit(
    given({ limiter, key: by === 'identity' ? byIdentity : undefined, shadow, headers }) as never,
  );
}
