import type { Json, Sample } from '@weir/core';
import type { Keeper } from './keeper.ts';

export function responseSamples(cache: string, keeper: Keeper): Sample[] {
  const { counts, store, flights, budget, sharing } = keeper;
  const counter = (name: string, help: string, value: number, more = {}): Sample => ({
    name: `weir_cache_http_${name}_total`,
    help,
    type: 'counter',
    labels: { cache, ...more },
    value,
  });
  const gauge = (name: string, help: string, value: number): Sample => ({
    name: `weir_cache_http_${name}`,
    help,
    type: 'gauge',
    labels: { cache },
    value,
  });
  const results = {
    hit: counts.hit,
    stale: counts.stale,
    stale_on_error: counts.staleOnError,
    revalidated: counts.revalidated,
    collapsed: counts.collapsed,
    miss: counts.miss,
    bypass: counts.bypass,
  };
  return [
    ...Object.entries(results).map(([result, value]) =>
      counter('requests', 'Requests, by what became of them.', value, { result }),
    ),
    counter('stored', 'Responses stored.', counts.stored),
    counter('too_large', 'Responses given up while they came in, for their size.', counts.tooLarge),
    counter('truncated', 'Responses not stored because they were shorter than they said.', counts.truncated),
    counter('invalidated', 'Responses invalidated by unsafe requests.', counts.invalidated),
    counter('purged', 'Responses purged.', counts.purged),
    counter('background_failures', 'Background revalidations without an answer.', counts.backgroundFailures),
    counter('evictions', 'Responses dropped for want of room.', store.evictions),
    gauge('entries', 'Responses stored, stale ones included.', store.entries),
    gauge('bytes', 'What stored responses take.', store.bytes),
    gauge('incoming_bytes', 'What responses that are coming in take.', budget.used),
    gauge('waiting', 'Requests that wait for the answer to another one.', flights.waiting),
    ...(sharing === undefined
      ? []
      : [
          counter('faults', 'Purges of which other processes could not be told.', counts.faults),
          counter('bus_messages', 'Purges heard from other processes.', sharing.received),
          counter('bus_gaps', 'Times that purges may have been missed and all was dropped.', sharing.gaps),
          gauge('bus_up', 'Whether purges of other processes are heard: 1 or 0.', sharing.up ? 1 : 0),
        ]),
  ];
}

export function responseSnapshot({ counts, store, flights, settings, sharing }: Keeper): {
  readonly [name: string]: Json;
} {
  const { hit, stale, staleOnError, revalidated, collapsed, miss } = counts;
  const served = hit + stale + staleOnError + revalidated + collapsed;
  const asked = served + miss;
  return {
    entries: store.entries,
    urls: store.keys,
    bytes: store.bytes,
    maxBytes: settings.maxBytes,
    waiting: flights.waiting,
    ...counts,
    evictions: store.evictions,
    hitRate: asked === 0 ? null : served / asked,
    ...(sharing === undefined ? {} : { bus: sharing.up ? 'up' : 'down', busGaps: sharing.gaps }),
  };
}
