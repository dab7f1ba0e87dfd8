import type { NodeObject, Topology } from '@weir/consistent-hash';
import type { Random } from '@weir/core';
import { powerOfTwoChoices } from '../power-of-two-choices.ts';
import type { Accept, Choice, Picker } from '../strategy.ts';
import type { Upstream } from '../upstream.ts';

/** Makes a topology of nodes. */
export type MakeTopology = (nodes: readonly NodeObject[]) => Topology<NodeObject>;

/** A topology's node, as it comes back. */
type Node = string | NodeObject;

/** Chooses by key, on a topology of all the pool's servers. */
export class HashPicker implements Picker {
  readonly #topologyOf: (servers: readonly NodeObject[]) => Topology<Node>;
  readonly #keyOf: (choice: Choice) => string | undefined;
  readonly #factor: number;
  /** For requests without a key. */
  readonly #keyless: Picker;
  #topology: Topology<Node> | undefined;
  #placed = '';
  #upstreams: readonly Upstream[] = [];
  /** Where each of those that may be chosen stands among them. */
  #seats: ReadonlyMap<string, number> = new Map();
  /** Sums over those that may be chosen. */
  #weight = 0;
  #load = 0;

  /** @param factor of bounded loads; infinite without */
  constructor(
    topology: MakeTopology | Topology<string> | Topology<NodeObject>,
    keyOf: (choice: Choice) => string | undefined,
    factor: number,
    random: Random,
  ) {
    const given = topology as MakeTopology | Topology<Node>;
    this.#topologyOf =
      typeof given === 'function' ? given : (servers) => adapted(this.#topology ?? given, servers);
    this.#keyOf = keyOf;
    this.#factor = factor;
    this.#keyless = powerOfTwoChoices().start({ random });
  }

  update(upstreams: readonly Upstream[], all: readonly Upstream[]): void {
    this.#keyless.update(upstreams, all);
    this.#upstreams = upstreams;
    this.#seats = new Map(upstreams.map(({ url }, index) => [url, index]));
    this.#weight = upstreams.reduce((sum, { weight }) => sum + weight, 0);
    this.#load = upstreams.reduce((sum, { inFlight }) => sum + inFlight, 0);
    const servers = all.map(({ url, weight }) => ({ id: url, weight }));
    const placed = JSON.stringify(servers);
    if (placed === this.#placed) return;
    this.#placed = placed;
    this.#topology = this.#topologyOf(servers);
  }

  pick(choice: Choice, accept: Accept | undefined, now: number): number {
    const key = this.#keyOf(choice);
    const topology = this.#topology;
    if (key === undefined || topology === undefined) return this.#keyless.pick(choice, accept, now);
    const owner = topology.get(key);
    if (owner !== undefined && this.#takes(owner, accept)) return this.#seatOf(owner);
    const next =
      topology.find(key, (node) => this.#takes(node, accept)) ??
      // None has room among those that are accepted.
      topology.find(key, (node) => this.#seatOf(node) !== -1 && this.#accepts(node, accept));
    return next === undefined ? -1 : this.#seatOf(next);
  }

  loaded(_index: number, by: 1 | -1): void {
    this.#load += by;
  }

  #takes(node: Node, accept: Accept | undefined): boolean {
    const upstream = this.#upstreams[this.#seatOf(node)];
    if (upstream === undefined) return false;
    const cap = Math.ceil((this.#factor * (this.#load + 1) * upstream.weight) / this.#weight);
    return upstream.inFlight < cap && (accept === undefined || accept(upstream));
  }

  #accepts(node: Node, accept: Accept | undefined): boolean {
    return accept === undefined || accept(this.#upstreams[this.#seatOf(node)]!);
  }

  #seatOf(node: Node): number {
    return this.#seats.get(idOf(node)) ?? -1;
  }
}

/** A topology with exactly these servers, by as few changes as it takes. */
function adapted(topology: Topology<Node>, servers: readonly NodeObject[]): Topology<Node> {
  const wanted = new Map(servers.map(({ id, weight }) => [id, weight]));
  const kept = new Set<string>();
  let next = topology;
  for (const { id, weight } of topology.members) {
    if (wanted.get(id) === weight) kept.add(id);
    else next = next.without(id);
  }
  for (const server of servers) {
    if (!kept.has(server.id)) next = next.with(server);
  }
  return next;
}

function idOf(node: Node): string {
  return typeof node === 'string' ? node : node.id;
}
