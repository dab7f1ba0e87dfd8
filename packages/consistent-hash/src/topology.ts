import type { Component } from '@weir/core';
import type { HashKey } from './hash-key.ts';

/** What keys are placed on: a name, or an object of yours that has one. */
export type TopologyNode = string | NodeObject;

/** A node with properties. Read once, when the topology is made; the object itself comes back from `get`. */
export interface NodeObject {
  /** Unique in its topology; places depend on it and on the weight alone. */
  readonly id: string;
  /** Share of the keys relative to the other nodes. Finite, >= 0; 0 owns nothing. @default 1 */
  readonly weight?: number | undefined;
}

/** The nodes' type as it comes back: literal strings widened; objects as they are, with a weight that may be left out. */
export type NodeOf<N> = N extends string ? string : N & NodeObject;

/** Anything that says where a key lives: a topology, or a table of shards. */
export interface Placement<T> {
  /** The owner of a key; undefined if there is none. */
  get(key: HashKey): T | undefined;
  /** A fingerprint: processes that show the same one place every key alike. */
  readonly version: string;
}

/**
 * Which node owns which key. Immutable: `with` and `without` make another one. The order in which nodes are given
 * does not matter (but see `createEnvoyRing`).
 */
export interface Topology<T> extends Placement<T>, Ranged, Component {
  readonly kind: 'topology';
  /** Number of nodes, those of weight 0 included. */
  readonly size: number;
  /** A fingerprint of algorithm, parameters, ids and weights: 16 hex digits, the same in every process. */
  readonly version: string;
  /** The nodes by ascending id. Made when first read. */
  readonly members: readonly Member<T>[];
  /** The owner of a key, as it was given; undefined if nobody owns anything. */
  get(key: HashKey): T | undefined;
  /**
   * Up to `n` different nodes in order of preference, the owner first. With `distinct`, each has another value of it,
   * so fewer come back if there are fewer values.
   *
   * @throws InvalidOptionError if `n` is not an integer >= 0.
   *
   * @example
   * ring.getN('user:1', 3, { distinct: (node) => node.zone });
   */
  getN(key: HashKey, n: number, options?: { readonly distinct?: ((node: T) => unknown) | undefined }): T[];
  /** The first node, in order of preference, that `accept` takes; undefined if it takes none. Each is asked once. */
  find(key: HashKey, accept: (node: T) => boolean): T | undefined;
  /**
   * The topology with one more node.
   *
   * @throws InvalidOptionError if the id is taken: to change a weight, `without(id).with(node)`.
   */
  with(node: T): Topology<T>;
  /** The topology without that node; this very one if it has no such node. */
  without(id: string): Topology<T>;
  /** How the space is shared out. Computed once. */
  stats(): TopologyStats;
  /** What the node owns, ascending, neighbours joined; undefined where ownership has no ranges (rendezvous, jump). */
  ranges(id: string): readonly HashRange[] | undefined;
}

/** A placement that owns whole ranges of a space of positions, so that two of them can be compared range by range. */
export interface Ranged {
  /** How a key's position is found; undefined where ownership has no ranges. Comparable are those of the same space. */
  readonly space: string | undefined;
  /** Where a key lies in the space; undefined where there is none. */
  position(key: HashKey): Position | undefined;
  /** Calls `visit` with every range, ascending, from 0 to the end of the space. Neighbours may have the same owner. */
  eachRange(visit: (id: string, start: Position, end: Position) => void): void;
}

/** A node as the topology sees it. */
export interface Member<T> {
  readonly id: string;
  readonly weight: number;
  readonly node: T;
}

/** A place in a topology's space: a bigint where that has 64 bits. */
export type Position = number | bigint;

/** Positions from `start` (included) to `end` (excluded). */
export interface HashRange {
  readonly start: Position;
  readonly end: Position;
}

/** How evenly a topology spreads keys. */
export interface TopologyStats {
  readonly size: number;
  /** The largest share of a node over the share that its weight asks for. 1 is perfect; 0 if nobody owns anything. */
  readonly maxLoad: number;
  /** The smallest, among nodes of weight > 0. */
  readonly minLoad: number;
  /** By ascending id. */
  readonly shares: readonly NodeShare[];
}

export interface NodeShare {
  readonly id: string;
  readonly weight: number;
  /** Part of all positions that the node owns, 0 to 1. */
  readonly share: number;
}
