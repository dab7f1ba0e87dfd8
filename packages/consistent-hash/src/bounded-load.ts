import {
  type Component,
  componentName,
  InvalidOptionError,
  type Json,
  knownOptions,
  type Sample,
} from '@weir/core';
import type { HashKey } from './hash-key.ts';
import type { Topology } from './topology.ts';

export interface BoundedLoadOptions {
  /**
   * How far a node's load may lie above its fair share: 1.25 is a quarter. A finite number >= 1; the lower, the more
   * keys spill over to other nodes.
   *
   * @default 1.25
   */
  readonly factor?: number | undefined;
  /** Name of the component. @default 'bounded-load-<n>' */
  readonly name?: string | undefined;
}

/** A place taken on a node. */
export interface BoundedLease<T> extends Disposable {
  readonly node: T;
  /** Gives the place back. Further calls do nothing. */
  release(): void;
}

/** Counts what is in flight on each node, and sends a key elsewhere while its owner is full. */
export interface BoundedLoad<T> extends Component {
  readonly kind: 'bounded-load';
  /** What keys are placed by. Assign another one when nodes come and go: nodes of the same id keep their load. */
  topology: Topology<T>;
  /** Leases in force on nodes of the topology. */
  readonly total: number;
  /** Leases in force on a node; 0 for an unknown one. */
  load(id: string): number;
  /**
   * Takes a place on the first node, in the key's order of preference, that is below its cap and that `accept` takes. If
   * `accept` leaves none, takes one on the owner, over its cap. Undefined only if the topology has no owner.
   */
  acquire(key: HashKey, accept?: (node: T) => boolean): BoundedLease<T> | undefined;
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016): with `total` leases in force, a node
 * of weight w among weights that sum to W is handed another one only while it then has at most
 * `ceil(factor * (total + 1) * w / W)`. Sums of caps exceed the total, so there is always room somewhere.
 *
 * A lease costs a lookup and an object; a spill walks the topology's order of preference. The cap is a rule for taking,
 * so a node may be left above it when others give back. Counts are of this process.
 *
 * @throws InvalidOptionError if `factor` is not a finite number >= 1.
 *
 * @example
 * const bounded = boundedLoad(createRing(['a', 'b', 'c']), { factor: 1.25 });
 * const lease = bounded.acquire('hot-key');
 * try {
 *   // call lease.node
 * } finally {
 *   lease?.release();
 * }
 */
export function boundedLoad<T>(topology: Topology<T>, options: BoundedLoadOptions = {}): BoundedLoad<T> {
  knownOptions(options, ['factor', 'name'], 'boundedLoad');
  const { factor = 1.25 } = options;
  if (typeof factor !== 'number' || !(factor >= 1 && factor < Infinity)) {
    throw new InvalidOptionError('factor', 'a finite number >= 1', factor);
  }
  return new Bounded(topology, factor, componentName('bounded-load', options.name));
}

interface Counter {
  readonly id: string;
  weight: number;
  load: number;
  /** Whether the topology has the node. */
  present: boolean;
}

class Bounded<T> implements BoundedLoad<T> {
  readonly kind = 'bounded-load';
  readonly name: string;
  readonly #factor: number;
  #topology!: Topology<T>;
  #weight = 0;
  #total = 0;
  #acquired = 0;
  #spilled = 0;
  readonly #byId = new Map<string, Counter>();
  #byNode: ReadonlyMap<T, Counter> = new Map();

  constructor(topology: Topology<T>, factor: number, name: string) {
    this.#factor = factor;
    this.name = name;
    this.topology = topology;
  }

  get topology(): Topology<T> {
    return this.#topology;
  }

  set topology(topology: Topology<T>) {
    for (const counter of this.#byId.values()) {
      counter.present = false;
      if (counter.load === 0) this.#byId.delete(counter.id);
    }
    const byNode = new Map<T, Counter>();
    this.#topology = topology;
    this.#weight = 0;
    this.#total = 0;
    for (const { id, weight, node } of topology.members) {
      const counter = this.#byId.get(id) ?? { id, weight, load: 0, present: true };
      counter.weight = weight;
      counter.present = true;
      this.#byId.set(id, counter);
      byNode.set(node, counter);
      this.#weight += weight;
      this.#total += counter.load;
    }
    this.#byNode = byNode;
  }

  get total(): number {
    return this.#total;
  }

  load(id: string): number {
    return this.#byId.get(id)?.load ?? 0;
  }

  acquire(key: HashKey, accept?: (node: T) => boolean): BoundedLease<T> | undefined {
    const owner = this.#topology.get(key);
    if (owner === undefined) return undefined;
    if (this.#hasRoom(owner) && (accept === undefined || accept(owner))) return this.#take(owner);
    const next = this.#topology.find(
      key,
      (node) => node !== owner && this.#hasRoom(node) && (accept === undefined || accept(node)),
    );
    if (next !== undefined) this.#spilled += 1;
    return this.#take(next ?? owner);
  }

  #hasRoom(node: T): boolean {
    const { weight, load } = this.#byNode.get(node)!;
    return load < Math.ceil((this.#factor * (this.#total + 1) * weight) / this.#weight);
  }

  #take(node: T): BoundedLease<T> {
    const counter = this.#byNode.get(node)!;
    counter.load += 1;
    this.#total += 1;
    this.#acquired += 1;
    return new Lease(node, () => {
      counter.load -= 1;
      if (counter.present) this.#total -= 1;
      else if (counter.load === 0) this.#byId.delete(counter.id);
    });
  }

  snapshot(): { readonly [name: string]: Json } {
    const loads = [...this.#byId.values()].map(({ id, load }) => ({ id, load }));
    return { topology: this.#topology.name, factor: this.#factor, total: this.#total, loads };
  }

  metrics(): readonly Sample[] {
    const labels = { bounded_load: this.name };
    return [
      {
        name: 'weir_consistent_hash_in_flight',
        help: 'Leases in force.',
        type: 'gauge',
        labels,
        value: this.#total,
      },
      {
        name: 'weir_consistent_hash_acquired_total',
        help: 'Leases taken.',
        type: 'counter',
        labels,
        value: this.#acquired,
      },
      {
        name: 'weir_consistent_hash_spilled_total',
        help: 'Leases taken on another node than the owner.',
        type: 'counter',
        labels,
        value: this.#spilled,
      },
    ];
  }
}

class Lease<T> implements BoundedLease<T> {
  readonly node: T;
  #giveBack: (() => void) | undefined;

  constructor(node: T, giveBack: () => void) {
    this.node = node;
    this.#giveBack = giveBack;
  }

  release(): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
