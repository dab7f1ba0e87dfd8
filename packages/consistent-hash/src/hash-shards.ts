import { InvalidOptionError, integer, knownOptions } from '@weir/core';
import type { HashKey } from './hash-key.ts';
import { byId, readNodes } from './internal/members.ts';
import { type Owners, SlotTable } from './internal/slot-table.ts';
import type { Member, NodeOf, Topology, TopologyNode } from './topology.ts';

export interface HashShardsOptions {
  /** Number of partitions, for good: changing it moves most keys. Integer, 1 to 65,536. @default 1024 */
  readonly partitions?: number | undefined;
  /**
   * The shard's id of each partition, as `assignments` of another process or an earlier run gave it. Partitions of
   * shards that are not there any more go to those that have too few. @default dealt out evenly
   */
  readonly assignments?: readonly string[] | undefined;
  /** Name of the component. @default 'topology-<n>' */
  readonly name?: string | undefined;
}

/** Fixed partitions of the hash space, each on one shard: what is moved is a partition, one at a time. */
export interface HashShards<T> extends Topology<T> {
  /** The shard's id of each partition. All that another process needs, besides the shards, to agree. */
  readonly assignments: readonly string[];
  /** The partition of a key: `floor(hashKey(key) * partitions / 2^32)`. */
  partition(key: HashKey): number;
  /** The shard of a partition. */
  owner(partition: number): T | undefined;
  /** The partitions of a shard, ascending. */
  partitionsOf(id: string): number[];
  /**
   * The table with that partition on another shard.
   *
   * @throws InvalidOptionError if there is no such partition, or no such shard of weight > 0.
   */
  move(partition: number, id: string): HashShards<T>;
  /** The table with one more shard, evened out again by moving as few partitions as can be. */
  with(node: T): HashShards<T>;
  /** The table without that shard; its partitions go to those that then have too few. */
  without(id: string): HashShards<T>;
}

/**
 * Shards by hash over fixed partitions, as Redis Cluster and Couchbase do. Unlike a ring, the table remembers: who owns
 * what depends on the order of changes, so processes share `assignments`, not only the list of shards.
 *
 * Partitions are dealt out by weight with the largest remainders rounded up, so shares differ by less than one partition.
 * `get` is O(1), a change O(partitions).
 *
 * @throws InvalidOptionError if an option, an id or a weight is wrong, or two shards share an id.
 *
 * @example
 * const shards = hashShards(['db-1', 'db-2'], { partitions: 1024 });
 * shards.get('tenant-7'); // 'db-1' or 'db-2'
 */
export function hashShards<N extends TopologyNode>(
  shards: readonly N[],
  options: HashShardsOptions = {},
): HashShards<NodeOf<N>> {
  knownOptions(options, ['partitions', 'assignments', 'name'], 'hashShards');
  const { assignments, partitions = assignments?.length ?? 1024 } = options;
  integer(partitions, 'partitions', 1, 65_536);
  if (assignments !== undefined && assignments.length !== partitions) {
    throw new InvalidOptionError('assignments', `a list of ${partitions} ids`, assignments);
  }
  const members = byId(readNodes(shards as readonly NodeOf<N>[]));
  return new PartitionTable(options.name, members, deal(members, partitions, assignments ?? []));
}

class PartitionTable<T> extends SlotTable<T> implements HashShards<T> {
  constructor(name: string | undefined, members: readonly Member<T>[], owners: Owners) {
    super(['hash-shards', owners.length], name, members, owners);
  }

  get assignments(): readonly string[] {
    const { owning, owners } = this;
    return owning.length === 0 ? [] : Array.from(owners, (owner) => owning[owner]!.id);
  }

  partition(key: HashKey): number {
    return this.slotOf(key);
  }

  owner(partition: number): T | undefined {
    return this.owning[this.owners[partition] ?? -1]?.node;
  }

  partitionsOf(id: string): number[] {
    return this.assignments.flatMap((owner, partition) => (owner === id ? [partition] : []));
  }

  move(partition: number, id: string): HashShards<T> {
    integer(partition, 'partition', 0, this.slots - 1);
    const owner = this.owning.findIndex((member) => member.id === id);
    if (owner === -1) throw new InvalidOptionError('id', 'that of a shard with weight > 0', id);
    const owners = this.owners.slice();
    owners[partition] = owner;
    return new PartitionTable(this.name, this.all, owners);
  }

  override with(node: T): HashShards<T> {
    return super.with(node) as HashShards<T>;
  }

  override without(id: string): HashShards<T> {
    return super.without(id) as HashShards<T>;
  }

  protected remake(members: readonly Member<T>[]): HashShards<T> {
    return new PartitionTable(this.name, members, deal(members, this.slots, this.assignments));
  }

  protected override identity(): readonly string[] {
    return this.assignments;
  }
}

/** Every partition stays where it was as long as its shard is not above its quota. */
function deal(all: readonly Member<unknown>[], partitions: number, before: readonly string[]): Owners {
  const members = all.filter(({ weight }) => weight > 0);
  const owners = new Uint16Array(partitions);
  if (members.length === 0) return owners;
  const room = quotas(members, partitions);
  const slots = new Map(members.map(({ id }, i) => [id, i]));
  const homeless: number[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    const slot = slots.get(before[partition] ?? '') ?? -1;
    if (slot !== -1 && room[slot]! > 0) {
      room[slot]! -= 1;
      owners[partition] = slot;
    } else {
      homeless.push(partition);
    }
  }
  let slot = 0;
  for (const partition of homeless) {
    while (room[slot] === 0) slot += 1;
    room[slot]! -= 1;
    owners[partition] = slot;
  }
  return owners;
}

/** How many partitions each is due; they sum to all of them. */
function quotas(members: readonly Member<unknown>[], partitions: number): number[] {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const due = members.map(({ weight }) => (partitions * weight) / total);
  const whole = due.map(Math.floor);
  const byRemainder = due
    .map((_, i) => i)
    .sort((a, b) => due[b]! - whole[b]! - (due[a]! - whole[a]!) || a - b);
  const left = partitions - whole.reduce((sum, quota) => sum + quota, 0);
  for (const i of byRemainder.slice(0, left)) whole[i]! += 1;
  return whole;
}
