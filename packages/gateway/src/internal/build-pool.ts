import {
  consistentHash,
  createPool,
  httpCheck,
  ipHash,
  leastConnections,
  leastResponseTime,
  type Pool,
  powerOfTwoChoices,
  random,
  roundRobin,
  type Strategy,
  stickyCookie,
  weightedRandom,
  weightedRoundRobin,
} from '@weir/load-balancer';
import type { UpstreamConfig } from '../config.ts';
import { given } from './given.ts';

const strategies: { readonly [name in NonNullable<UpstreamConfig['strategy']>]: () => Strategy } = {
  roundRobin,
  weightedRoundRobin,
  random,
  weightedRandom,
  leastConnections,
  leastResponseTime,
  powerOfTwoChoices,
  ipHash,
  consistentHash,
};

export function buildPool(name: string, config: UpstreamConfig): Pool {
  const { servers, strategy, health, outliers, slowStart, zone, sticky } = config;
  const { path, ...checks } = health ?? {};
  return createPool(
    servers as never,
    given({
      name,
      strategy: strategy && strategies[strategy](),
      health: health && given({ check: httpCheck(given({ path })), ...checks }),
      outliers,
      slowStart,
      zone,
      sticky: sticky && stickyCookie(given({ name: sticky.cookie, secret: sticky.secret })),
    }) as never,
  );
}
