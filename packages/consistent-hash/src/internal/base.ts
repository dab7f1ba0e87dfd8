import { componentName, integer, type Json, type Sample } from '@weir/core';
import type { HashKey } from '../hash-key.ts';
import type { HashRange, Member, Position, Topology, TopologyStats } from '../topology.ts';
import { fingerprint } from './fingerprint.ts';
import { byId } from './members.ts';

/** What all topologies have in common, on top of `get`, `find` and the ranges. */
export abstract class Base<T> implements Topology<T> {
  readonly kind = 'topology';
  readonly name: string;
  abstract readonly size: number;
  abstract readonly space: string | undefined;
  /** Algorithm and parameters: what the version covers beside the nodes. */
  protected readonly traits: readonly Json[];
  #version: string | undefined;
  #stats: TopologyStats | undefined;
  #members: readonly Member<T>[] | undefined;

  constructor(traits: readonly Json[], name: string | undefined) {
    this.traits = traits;
    this.name = componentName('topology', name);
  }

  abstract get(key: HashKey): T | undefined;
  abstract find(key: HashKey, accept: (node: T) => boolean): T | undefined;
  abstract with(node: T): Topology<T>;
  abstract without(id: string): Topology<T>;
  abstract position(key: HashKey): Position | undefined;
  abstract eachRange(visit: (id: string, start: Position, end: Position) => void): void;
  /** The nodes in any order. */
  protected abstract list(): readonly Member<T>[];

  get members(): readonly Member<T>[] {
    this.#members ??= byId(this.list());
    return this.#members;
  }

  get version(): string {
    this.#version ??= fingerprint([this.traits, this.identity()]);
    return this.#version;
  }

  /** What the version covers of the nodes. */
  protected identity(): Json {
    return this.members.map(({ id, weight }) => [id, weight]);
  }

  getN(
    key: HashKey,
    n: number,
    options: { readonly distinct?: ((node: T) => unknown) | undefined } = {},
  ): T[] {
    const { distinct = (node) => node } = options;
    const found: T[] = [];
    const values = new Set<unknown>();
    if (integer(n, 'n', 0) === 0) return found;
    this.find(key, (node) => {
      const value = distinct(node);
      if (values.has(value)) return false;
      values.add(value);
      return found.push(node) === n;
    });
    return found;
  }

  ranges(id: string): readonly HashRange[] | undefined {
    if (this.space === undefined) return undefined;
    const ranges: { start: Position; end: Position }[] = [];
    this.eachRange((owner, start, end) => {
      if (owner !== id) return;
      const last = ranges.at(-1);
      if (last?.end === start) last.end = end;
      else ranges.push({ start, end });
    });
    return ranges;
  }

  stats(): TopologyStats {
    this.#stats ??= summary(this.members, this.shares());
    return this.#stats;
  }

  /** What each id owns, in any unit. */
  protected shares(): ReadonlyMap<string, number> {
    const shares = new Map<string, number>();
    this.eachRange((id, start, end) => {
      shares.set(id, (shares.get(id) ?? 0) + Number((end as bigint) - (start as bigint)));
    });
    return shares;
  }

  snapshot(): { readonly [name: string]: Json } {
    const { size, maxLoad, minLoad } = this.stats();
    return { algorithm: this.traits[0]!, version: this.version, size, maxLoad, minLoad };
  }

  metrics(): readonly Sample[] {
    const { size, maxLoad, minLoad } = this.stats();
    const gauge = (what: string, help: string, value: number): Sample => ({
      name: `weir_consistent_hash_${what}`,
      help,
      type: 'gauge',
      labels: { topology: this.name },
      value,
    });
    return [
      gauge('nodes', 'Nodes of the topology.', size),
      gauge('max_load_ratio', 'Largest load of a node for its weight; 1 is even.', maxLoad),
      gauge('min_load_ratio', 'Smallest load of a node for its weight; 1 is even.', minLoad),
    ];
  }
}

function summary<T>(members: readonly Member<T>[], owned: ReadonlyMap<string, number>): TopologyStats {
  let space = 0;
  let total = 0;
  for (const share of owned.values()) space += share;
  for (const { weight } of members) total += weight;
  let maxLoad = 0;
  let minLoad = Infinity;
  const shares = members.map(({ id, weight }) => {
    const share = (owned.get(id) ?? 0) / (space || 1);
    if (weight > 0) {
      const load = (share / weight) * total;
      maxLoad = Math.max(maxLoad, load);
      minLoad = Math.min(minLoad, load);
    }
    return { id, weight, share };
  });
  return { size: members.length, maxLoad, minLoad: Math.min(minLoad, maxLoad), shares };
}
