import type { CallBreaker } from '../call-breaker.ts';

/** What an operator may do to a breaker. */
export const actionsOf = (breaker: CallBreaker): { readonly [name: string]: () => void } => ({
  forceOpen: () => breaker.forceOpen(),
  forceClose: () => breaker.forceClose(),
  reset: () => breaker.reset(),
});
