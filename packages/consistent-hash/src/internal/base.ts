import { componentName, integer, type Json, type Sample } from '@weir/core';
import { hashBytes, type HashKey } from '../hash-key.ts';
import type { Arcs, HashRange, Member, Topology, TopologyStats } from '../topology.ts';
import { origin } from './arcs.ts';
import { byId } from './members.ts';

/** What all topologies have in common, on top of `get`, `find` and the arcs. */
export abstract class Base<T> implements Topology<T> {
  readonly kind = 'topology';
  readonly name: string;
  abstract readonly size: number;
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
  abstract arcs(): Arcs | undefined;
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

  getN(key: HashKey, n: number, options: { readonly distinct?: ((node: T) => unknown) | undefined } = {}): T[] {
    const { distinct } = options;
    const found: T[] = [];
    if (integer(n, 'n', 0) === 0) return found;
    const groups = new Set<unknown>();
    this.find(key, (node) => {
      if (distinct !== undefined) {
        const group = distinct(node);
        if (groups.has(group)) return false;
        groups.add(group);
      }
      return found.push(node) === n;
    });
    return found;
  }

  ranges(id: string): readonly HashRange[] | undefined {
    const arcs = this.arcs();
    if (arcs === undefined) return undefined;
    const ranges: HashRange[] = [];
    for (let i = 0; i < arcs.owners.length; i += 1) {
      if (arcs.owners[i] !== id) continue;
      const start = i === 0 ? origin(arcs) : arcs.ends[i - 1]!;
      while (arcs.owners[i + 1] === id) i += 1;
      ranges.push({ start, end: arcs.ends[i]! });
    }
    return ranges;
  }

  stats(): TopologyStats {
    this.#stats ??= summary(this.members, this.shares());
    return this.#stats;
  }

  /** Part of the space that each id owns. */
  protected shares(): ReadonlyMap<string, number> {
    const shares = new Map<string, number>();
    const arcs = this.arcs();
    if (arcs === undefined) return shares;
    const { ends, owners, positions } = arcs;
    let start = origin(arcs);
    for (let i = 0; i < owners.length; i += 1) {
      const id = owners[i];
      const length = Number((ends[i] as bigint) - (start as bigint)) / Number(positions);
      if (id !== undefined) shares.set(id, (shares.get(id) ?? 0) + length);
      start = ends[i]!;
    }
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
      gauge('nodes', 'Nodes of the topology', size),
      gauge('max_load_ratio', 'Largest share of a node over the share its weight asks for', maxLoad),
      gauge('min_load_ratio', 'Smallest share of a node over the share its weight asks for', minLoad),
    ];
  }
}

/** Two lanes of murmur3 over JSON, which is unambiguous and the same everywhere. */
function fingerprint(identity: Json): string {
  const text = JSON.stringify(identity);
  return [0, 1].map((seed) => (hashBytes(text, seed) >>> 0).toString(16).padStart(8, '0')).join('');
}

function summary<T>(members: readonly Member<T>[], owned: ReadonlyMap<string, number>): TopologyStats {
  let total = 0;
  for (const { weight } of members) total += weight;
  const shares = members.map(({ id, weight }) => ({ id, weight, share: owned.get(id) ?? 0 }));
  let maxLoad = 0;
  let minLoad = 0;
  for (const { weight, share } of shares) {
    if (weight === 0) continue;
    const load = (share / weight) * total;
    minLoad = maxLoad === 0 ? load : Math.min(minLoad, load);
    maxLoad = Math.max(maxLoad, load);
  }
  return { size: members.length, maxLoad, minLoad, shares };
}
