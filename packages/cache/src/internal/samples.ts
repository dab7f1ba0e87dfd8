import type { Json, Sample } from '@weir/core';
import type { Peers } from './peers.ts';
import type { Store } from './store.ts';
import type { Tier } from './tier.ts';

export function cacheSamples(store: Store, tier: Tier | undefined, peers: Peers | undefined): Sample[] {
  const { counts, memory, inFlight, durations } = store;
  const labels = { cache: store.name };
  const counter = (name: string, help: string, value: number, more = {}): Sample => ({
    name: `weir_cache_${name}_total`,
    help,
    type: 'counter',
    labels: { ...labels, ...more },
    value,
  });
  const gauge = (name: string, help: string, value: number): Sample => ({
    name: `weir_cache_${name}`,
    help,
    type: 'gauge',
    labels,
    value,
  });
  const results = ['hit', 'stale', 'miss', 'coalesced'] as const;
  return [
    ...results.map((result) =>
      counter('requests', 'Keys asked for, by what memory had.', counts[result], { result }),
    ),
    durations.sample('weir_cache_load_seconds', 'How long loaders took, failures included.', labels),
    counter('load_errors', 'Keys whose load failed.', counts.loadErrors),
    counter('evictions', 'Entries dropped for want of room.', memory.evictions),
    counter('invalidations', 'Calls of delete, expire, clear and invalidateTags.', counts.invalidations),
    counter('faults', 'Failures of the remote tier, the bus, sizeOf or waitUntil.', counts.faults),
    gauge('entries', 'Entries in memory, expired ones included until they are asked for.', memory.size),
    ...(store.settings.maxBytes === undefined
      ? []
      : [gauge('bytes', 'Sum of the sizes of entries in memory.', memory.bytes)]),
    gauge('loads_in_flight', 'Keys being loaded.', inFlight.size),
    ...(tier === undefined
      ? []
      : [
          counter('remote_reads', 'Keys asked of the remote tier.', counts.remoteHit, { result: 'hit' }),
          counter('remote_reads', 'Keys asked of the remote tier.', counts.remoteMiss, { result: 'miss' }),
        ]),
    ...(peers === undefined
      ? []
      : [
          counter('bus_messages', 'Invalidations heard from other processes.', peers.received),
          counter('bus_gaps', 'Times that messages may have been lost and memory was dropped.', peers.gaps),
          gauge('bus_up', 'Whether invalidations of other processes are heard: 1 or 0.', peers.up ? 1 : 0),
        ]),
  ];
}

export function cacheSnapshot(
  store: Store,
  tier: Tier | undefined,
  peers: Peers | undefined,
): { readonly [name: string]: Json } {
  const { memory, inFlight, settings } = store;
  const { remoteHit, remoteMiss, ...counts } = store.counts;
  const { hit, stale, miss, coalesced } = counts;
  const asked = hit + stale + miss + coalesced;
  return {
    entries: memory.size,
    max: settings.max === 0 ? null : settings.max,
    bytes: settings.maxBytes === undefined ? null : memory.bytes,
    maxBytes: settings.maxBytes ?? null,
    loadsInFlight: inFlight.size,
    ...counts,
    evictions: memory.evictions,
    hitRate: asked === 0 ? null : (hit + stale) / asked,
    ...(tier === undefined ? {} : { remoteHit, remoteMiss }),
    ...(peers === undefined ? {} : { bus: peers.up ? 'up' : 'down', busGaps: peers.gaps }),
  };
}
