import type { Random } from '@weir/core';
import type { Upstream } from './upstream.ts';

/** What is known of the request when a server is chosen for it. */
export interface Choice {
  /** What the request is about: requests with the same key may go to the same server. */
  readonly key?: string | undefined;
  /** The client's address. */
  readonly ip?: string | undefined;
}

/** A way of choosing servers. Stateless itself; each pool starts one of its own. */
export interface Strategy {
  readonly name: string;
  start(tools: { readonly random: Random }): Picker;
}

/** The state of a strategy in one pool. */
export interface Picker {
  /**
   * Chooses among the servers that may be used, at least one. In-flight counts stand as before the choice.
   *
   * @returns an index into `upstreams`
   */
  pick(upstreams: readonly Upstream[], choice: Choice): number;
}
