import { type Policy, problem } from '@weir/core';
import { identityKey } from './identity.ts';

/** Lets pass whoever has all of these scopes. */
export function scopesPolicy(scopes: readonly string[]): Policy {
  const refused = problem(403, { detail: `This needs the scopes ${scopes.join(', ')}.` });
  return {
    name: 'scopes',
    enter(x) {
      const own = x.get(identityKey)?.scopes ?? [];
      return scopes.every((scope) => own.includes(scope)) ? undefined : refused;
    },
  };
}
