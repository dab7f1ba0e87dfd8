import { createKey, type Key } from '@weir/core';

/** Who a request was found to come from. */
export interface Identity {
  /** The id of an API key, or the subject of a token. */
  readonly id: string;
  readonly scopes: readonly string[];
}

/** Where the gateway leaves it, for policies and hooks that come later. */
export const identityKey: Key<Identity> = createKey<Identity>('weir:identity');
