import type { Exchange } from '@weir/core';
import {
  createLimiter,
  fixedWindow,
  type Limit,
  leakyBucket,
  type RateLimitPolicy,
  rateLimit,
  type Store,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '@weir/rate-limit';
import type { RouteConfig } from '../config.ts';
import { identityKey } from '../identity.ts';
import { given } from './given.ts';

type LimitConfig = NonNullable<RouteConfig['limit']>;
const makers = { fixedWindow, slidingLog, slidingWindow, tokenBucket, leakyBucket };

export function buildLimiter(name: string, config: LimitConfig, store: Store | undefined): object {
  const limits = [config.limits].flat().map(({ algorithm = 'tokenBucket', ...options }): Limit => {
    return makers[algorithm](given(options) as never);
  });
  return createLimiter(given({ name, limits, maxKeys: config.maxKeys, store }) as never);
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
