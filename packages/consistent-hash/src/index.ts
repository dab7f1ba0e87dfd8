export { type BoundedLease, type BoundedLoad, type BoundedLoadOptions, boundedLoad } from './bounded-load.ts';
export { type Diff, diff, type Move, type MovedKey, movedKeys } from './diff.ts';
export { type DirectoryShards, type DirectoryShardsOptions, directoryShards } from './directory-shards.ts';
export { createEnvoyMaglev } from './envoy-maglev.ts';
export { createEnvoyRing, type EnvoyRingOptions } from './envoy-ring.ts';
export { type HashKey, hashKey } from './hash-key.ts';
export { type HashShards, type HashShardsOptions, hashShards } from './hash-shards.ts';
export { createJump, type JumpOptions, type JumpTopology } from './jump.ts';
export { createKetama, type KetamaCompat, type KetamaOptions } from './ketama.ts';
export { fromAddress, fromCookie, fromHeader, fromParam, type KeySource } from './key-source.ts';
export { createMaglev, type MaglevOptions } from './maglev.ts';
export {
  createMigration,
  type Migration,
  type MigrationOptions,
  type MigrationProgress,
} from './migration.ts';
export { type Bound, type RangeShards, rangeShards, type ShardRange } from './range-shards.ts';
export { createRendezvous, type RendezvousCompat, type RendezvousOptions } from './rendezvous.ts';
export { createReplicaSet, type ReplicaSet, type ReplicaSetOptions } from './replica-set.ts';
export { createRing, type RingOptions } from './ring.ts';
export { type Shard, type ShardOptions, shard, shardKey } from './shard.ts';
export type {
  HashRange,
  Member,
  NodeObject,
  NodeOf,
  NodeShare,
  Placement,
  Position,
  Ranged,
  Topology,
  TopologyNode,
  TopologyStats,
} from './topology.ts';
