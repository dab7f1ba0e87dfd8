import { callable, type Exchange, knownOptions, type Outcome } from '@weir/core';
import { storeOptionNames } from './internal/settings.ts';
import { byAddress, type KeyOf } from './keys.ts';
import type { Limits, StoreLimiterOptions } from './limiter.ts';
import { type RateLimitPolicy, rateLimit } from './policy.ts';
import { slidingLog } from './sliding-log.ts';
import { slidingWindow } from './sliding-window.ts';

/** Options of the limiters themselves may stand here too, but for `limits`. */
export interface LoginProtectionOptions extends Partial<Omit<StoreLimiterOptions, 'limits'>> {
  /** The account that a request tries to enter, in one spelling; undefined: none, so that only its address counts. */
  readonly account: (x: Exchange) => string | undefined;
  /** What else a request is counted by. @default byAddress() */
  readonly address?: KeyOf;
  /** Whether the attempt failed. @default the status is 401 or 403 */
  readonly failed?: (outcome: Outcome, x: Exchange) => boolean;
  /** Failures of one address on one account. @default slidingLog({ limit: 5, per: '15m' }) */
  readonly perPair?: Limits;
  /** Failures of one address on all accounts. @default slidingWindow({ limit: 50, per: '1h' }) */
  readonly perAddress?: Limits;
  /**
   * Failures of all addresses on one account: stops guessing from many addresses. Whoever knows the account's name can
   * lock its owner out with it, so it should be generous.
   *
   * @default none
   */
  readonly perAccount?: Limits;
}

const ownNames = ['account', 'address', 'failed', 'perPair', 'perAddress', 'perAccount'];

/**
 * Holds back guessing of passwords. Each attempt is charged when it comes, so that many at once get no further, and what
 * did not fail is given back.
 *
 * @returns policies for `weir`, each with a limiter of its own.
 * @throws InvalidOptionError if an option is unknown or not as described.
 *
 * @example
 * app.post('/login', weir(protectLogin({ account: (x) => (x.raw as Request).body.email?.toLowerCase() })), login);
 */
export function protectLogin(options: LoginProtectionOptions): readonly RateLimitPolicy[] {
  knownOptions(
    options,
    [...ownNames, ...storeOptionNames.filter((name) => name !== 'limits')],
    'protectLogin',
  );
  const { account, address: key = byAddress(), failed = refusedEntry, perAccount, name = 'login' } = options;
  const { perPair = slidingLog({ limit: 5, per: '15m' }) } = options;
  const { perAddress = slidingWindow({ limit: 50, per: '1h' }) } = options;
  callable(account, 'account');
  callable(key, 'address');
  callable(failed, 'failed');
  const fallback = byAddress();
  const address = (x: Exchange): string => key(x) ?? fallback(x);
  const limiterOptions = Object.fromEntries(
    Object.entries(options).filter(([each]) => !ownNames.includes(each)),
  );
  const limited = (what: string, limits: Limits, counted: KeyOf): RateLimitPolicy =>
    rateLimit({
      ...limiterOptions,
      name: `${name}-${what}`,
      limits,
      key: counted,
      skip: (x) => counted(x) === undefined,
      settle: (outcome, x) => (failed(outcome, x) ? 1 : 0),
    });
  const policies = [limited('address', perAddress, address)];
  if (perAccount !== undefined) policies.push(limited('account', perAccount, account));
  policies.push(
    limited('pair', perPair, (x) => {
      const entered = account(x);
      return entered === undefined ? undefined : `${address(x)}\n${entered}`;
    }),
  );
  return policies;
}

const refusedEntry = ({ status }: Outcome): boolean => status === 401 || status === 403;
