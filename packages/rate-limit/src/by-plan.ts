import { callable, type Exchange, InvalidOptionError } from '@weir/core';
import { InvalidLimitsError } from './errors.ts';
import { byAddress, type KeyOf } from './keys.ts';
import type { Limits } from './limiter.ts';

/**
 * Gives each plan its own limits: free users these, paying ones those. Spread it into `rateLimit`. A user who changes
 * plan starts afresh in the new one.
 *
 * @param plans the limits of each plan
 * @param plan the name of the plan that a request belongs to. Any other name is an error: `ERR_WEIR_INVALID_LIMITS`.
 * @param key what a request is counted by within its plan; by address if not given
 * @throws InvalidOptionError if an argument is not as described.
 *
 * @example
 * const plans = { free: tokenBucket({ limit: 1, per: '1s' }), pro: tokenBucket({ limit: 50, per: '1s' }) };
 * rateLimit({ ...byPlan(plans, (x) => x.get(userKey)?.plan ?? 'free', (x) => x.get(userKey)?.id) });
 */
export function byPlan<Plan extends string>(
  plans: { readonly [name in Plan]: Limits },
  plan: (x: Exchange) => Plan,
  key: KeyOf = byAddress(),
): { key: (x: Exchange) => string; limits: (key: string) => Limits } {
  if (typeof plans !== 'object' || plans === null) {
    throw new InvalidOptionError('plans', 'an object with the limits of each plan', plans);
  }
  callable(plan, 'plan');
  callable(key, 'key');
  const known = new Map<string, Limits>(Object.entries(plans));
  const address = byAddress();
  return {
    key: (x) => {
      const name = plan(x);
      if (!known.has(name) || name.includes('\n')) throw new InvalidLimitsError('there is no such plan');
      return `${name}\n${key(x) ?? address(x)}`;
    },
    limits: (counted) => known.get(counted.slice(0, counted.indexOf('\n'))) as Limits,
  };
}
