import type { Random } from '@weir/core';
import type { Upstream } from './upstream.ts';

/** What is known of the request when a server is chosen for it. */
export interface Choice {
  /** What the request is about: requests with the same key go to the same server, if the strategy hashes keys. */
  readonly key?: string | undefined;
  /** The client's address. */
  readonly ip?: string | undefined;
}

/** Whether a server may be chosen this time. */
export type Accept = (upstream: Upstream) => boolean;

/** A way of choosing servers. Stateless itself; each pool starts one of its own. */
export interface Strategy {
  readonly name: string;
  start(tools: { readonly random: Random }): Picker;
}

/** The state of a strategy in one pool. */
export interface Picker {
  /**
   * Whether `pick` minds `effectiveWeight`. If not, the pool itself keeps a server in slow start from being chosen too
   * often.
   *
   * @default false
   */
  readonly ramps?: boolean;
  /**
   * Given if `pick` needs the time and servers' `latencyMs`, which costs a clock read a request: how fast old response
   * times are forgotten, ms. Looked at after each `update`.
   *
   * @default undefined
   */
  readonly latencyDecayMs?: number | undefined;
  /**
   * Takes the servers to choose from. Called first of all, and whenever servers, their states or their weights have
   * changed.
   *
   * @param upstreams those that may be chosen now, all of them with a weight above 0
   * @param all those and the ones that may not, in the order in which they joined the pool
   */
  update(upstreams: readonly Upstream[], all: readonly Upstream[]): void;
  /**
   * Chooses among the servers of the last `update`, at least one. In-flight counts stand as before the choice.
   *
   * @param accept if given, only servers that it takes may be chosen. Given when some have been tried already, so a scan
   *   is in order
   * @param now the pool's clock, ms, if `latencyDecayMs` is given; 0 otherwise
   * @returns an index into `upstreams`; -1 if `accept` takes none
   */
  pick(choice: Choice, accept: Accept | undefined, now: number): number;
  /** Told, if it wants to know, that `inFlight` of `upstreams[index]` has just changed. */
  loaded?(index: number, by: 1 | -1): void;
}
