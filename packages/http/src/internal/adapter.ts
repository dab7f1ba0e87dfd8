import { type Exchange, type Policy, WeirError } from '@weir/core';
import { normalizePolicies, type Policies } from './policies.ts';
import { type Choices, type HttpOptions, readSettings, type Settings } from './settings.ts';

type Weir<Raw, Options, Middleware> = (policies: Policies<Raw>, options?: Options) => Middleware;

/** The two names that every adapter exports, made from what it does with checked policies and settings. */
export function adapter<Raw, Middleware, Options extends HttpOptions = HttpOptions>(
  bind: (policies: readonly Policy[], settings: Settings, options: Options) => Middleware,
  choices: Choices = {},
): {
  readonly weir: Weir<Raw, Options, Middleware>;
  readonly configure: (options: Options) => Weir<Raw, Options, Middleware>;
} {
  const make = (policies: Policies<Raw>, options: Options): Middleware =>
    // A policy for this host's raw object is only ever run by this host.
    bind(normalizePolicies(policies) as readonly Policy[], readSettings(options, choices), options);
  return {
    weir: (policies, options = {} as Options) => make(policies, options),
    configure(options) {
      readSettings(options, choices);
      return (policies, further) => make(policies, { ...options, ...further });
    },
  };
}

/** @throws WeirError `ERR_WEIR_NO_EXCHANGE` if there is none. */
export function required<Raw>(x: Exchange | undefined): Exchange<Raw> {
  if (x === undefined)
    throw new WeirError('ERR_WEIR_NO_EXCHANGE', 'weir() is not mounted in front of this handler');
  return x as Exchange<Raw>;
}
