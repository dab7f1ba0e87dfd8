import { type Exchange, InvalidOptionError, oneOf, type Policy } from '@weir/core';

/** A policy, or just its `enter`. */
export type PolicyLike<Raw = unknown> = Policy<Raw> | Policy<Raw>['enter'];

/** What `weir` takes: one policy or several, the outermost first. */
export type Policies<Raw = unknown> = PolicyLike<Raw> | readonly PolicyLike<Raw>[];

/**
 * Checks policies once, so that the runner need not.
 *
 * @throws InvalidOptionError if one of them is not a policy.
 */
export function normalizePolicies<Raw>(policies: Policies<Raw>): readonly Policy<Raw>[] {
  const list = (Array.isArray(policies) ? policies : [policies]) as readonly PolicyLike<Raw>[];
  return list.map((each) => {
    if (typeof each === 'function') {
      // A method called on its own object, as in any policy.
      return { name: each.name === '' ? 'anonymous' : each.name, enter: (x: Exchange<Raw>) => each(x) };
    }
    if (typeof each !== 'object' || each === null || typeof each.enter !== 'function') {
      throw new InvalidOptionError('policy', 'a policy, a function, or an array of them', each);
    }
    if (typeof each.name !== 'string') throw new InvalidOptionError('policy.name', 'a string', each.name);
    oneOf(each.until, 'policy.until', [undefined, 'head', 'end']);
    oneOf(each.onFault, 'policy.onFault', [undefined, 'open', 'closed']);
    return each;
  });
}
