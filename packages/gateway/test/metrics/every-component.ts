import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCache } from '@weir/cache';
import { cacheResponses } from '@weir/cache/http';
import { createBreaker, createBreakers } from '@weir/circuit-breaker';
import { createOpossumBreaker } from '@weir/circuit-breaker/opossum';
import { boundedLoad, createMigration, createReplicaSet, createRing } from '@weir/consistent-hash';
import type { Component, Sample } from '@weir/core';
import { ManualClock } from '@weir/core/testing';
import { weir } from '@weir/http/node';
import { createPool } from '@weir/load-balancer';
import { dnsDiscovery } from '@weir/load-balancer/dns';
import { proxy, upgrade } from '@weir/proxy';
import { createLimiter, fixedWindow, Store } from '@weir/rate-limit';
import { redisClient } from '@weir/redis';
import {
  adaptiveLimit,
  adaptiveThrottle,
  bulkhead,
  concurrencyLimit,
  loadShed,
  retryBudget,
} from '@weir/resilience';
import { Redis } from 'ioredis';
import { FakeBus, FakeTier } from '../../../cache/test/fakes.ts';
import { RouteTally } from '../../src/internal/route-tally.ts';

type Maker = () => Component | Promise<Component>;

const ring = (...names: string[]) => createRing(names);
const pool = () => createPool(['http://127.0.0.1:1']);

/** Never asked here. */
class NoStore extends Store {
  decide = never;
  adjust = never;
  block = never;
  reset = never;
}

function never(): never {
  throw new Error('nobody asks');
}

/** A proxy that has seen an upstream refuse a connection: errors have no samples before they happen. */
async function failedProxy(): Promise<Component> {
  const policy = proxy(pool());
  const server = createServer(weir(policy).wrap(() => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  server.close();
  server.closeAllConnections();
  return policy;
}

/** One component, with all that it can tell, for each file of the packages in which samples are told. */
export const everyComponent: { readonly [file: string]: Maker } = {
  'cache/src/cache.ts': () => {
    const clock = new ManualClock();
    return createCache({
      ttl: '1m',
      maxBytes: 1000,
      sizeOf: () => 1,
      remote: new FakeTier(clock),
      bus: new FakeBus(),
      clock,
    } as never);
  },
  'cache/src/http/response-cache.ts': () => cacheResponses({ name: 'a', bus: new FakeBus() as never }),
  'circuit-breaker/src/breaker.ts': () => createBreaker(),
  'circuit-breaker/src/internal/opossum-breaker.ts': () => createOpossumBreaker(),
  'circuit-breaker/src/registry.ts': () => createBreakers({ max: 10 }),
  'consistent-hash/src/bounded-load.ts': () => boundedLoad(ring('a', 'b'), { factor: 1.5 }),
  'consistent-hash/src/internal/base.ts': () => ring('a', 'b'),
  'consistent-hash/src/migration.ts': () => createMigration(ring('a', 'b'), ring('a', 'b', 'c')),
  'consistent-hash/src/replica-set.ts': () => createReplicaSet({ primary: 'a', replicas: ['b'] }),
  'gateway/src/internal/route-tally.ts': () => new RouteTally('api'),
  'load-balancer/src/dns.ts': () =>
    dnsDiscovery(pool(), { url: 'http://api.internal', resolve: async () => ['10.0.0.7'] }),
  'load-balancer/src/internal/server-pool.ts': pool,
  'proxy/src/proxy.ts': failedProxy,
  'proxy/src/upgrade.ts': () => upgrade(pool()),
  'rate-limit/src/internal/memory-limiter.ts': () =>
    createLimiter({ limits: fixedWindow({ limit: 1, per: '1s' }) }),
  'rate-limit/src/internal/store-limiter.ts': () =>
    createLimiter({ limits: fixedWindow({ limit: 1, per: '1s' }), store: new NoStore() }),
  'redis/src/internal/view.ts': () => redisClient(new Redis({ lazyConnect: true })),
  'resilience/src/adaptive-limit.ts': () => adaptiveLimit(),
  'resilience/src/bulkhead.ts': () => bulkhead({ concurrency: 1 }),
  'resilience/src/concurrency-limit.ts': () => concurrencyLimit({ limit: 1 }),
  'resilience/src/load-shed.ts': () => loadShed(),
  'resilience/src/retry-budget.ts': () => retryBudget(),
  'resilience/src/throttle.ts': () => adaptiveThrottle(),
};

/** A metric as users see it, whatever number of series it has. */
export interface Family {
  readonly name: string;
  readonly type: Sample['type'];
  readonly help: string;
  /** Each label with the values that were seen. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
  /** The packages that tell it. */
  readonly packages: ReadonlySet<string>;
}

/**
 * All metrics that the components tell, by name.
 *
 * @throws Error if two tell the same name otherwise.
 */
export async function everyFamily(): Promise<Family[]> {
  const families = new Map<string, Family & { labels: Map<string, Set<string>>; packages: Set<string> }>();
  for (const [file, make] of Object.entries(everyComponent)) {
    const component = await make();
    for (const { name, type, help, labels } of component.metrics()) {
      const family = families.get(name) ?? { name, type, help, labels: new Map(), packages: new Set() };
      families.set(name, family);
      if (family.type !== type || family.help !== help) throw new Error(`${name} is told in two ways`);
      family.packages.add(file.slice(0, file.indexOf('/')));
      for (const [label, value] of Object.entries(labels)) {
        if (!family.labels.has(label)) family.labels.set(label, new Set());
        family.labels.get(label)?.add(value);
      }
    }
    await component.close?.();
  }
  return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
