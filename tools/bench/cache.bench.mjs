// The cache in process beside its peers and floors: hits, a thousand callers on one cold key, memory.
// node --expose-gc cache.bench.mjs
import { cachified } from '@epic-web/cachified';
import { createCache as dedupeCache } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache as managerCache } from 'cache-manager';
import { Cacheable } from 'cacheable';
import { LRUCache } from 'lru-cache';
import { createCache } from '../../packages/cache/dist/index.js';
import { bytesEach, compare, goal, keep, print } from './harness.mjs';

const KEYS = 1000;
const MINUTE = 60_000;
const keys = Array.from({ length: KEYS }, (_, i) => `user:${i}`);
const record = (key) => ({ key, name: 'Ada', roles: ['admin', 'editor'] });
const load = async (key) => record(key);
const loader = () => load('missing');

// Contenders, each with the same thousand values in memory.

const weir = createCache({ ttl: '1m', max: 10_000 });
const grace = createCache({
  ttl: '1m',
  grace: '1h',
  jitter: 0.1,
  earlyRefresh: 1,
  errorTtl: '1s',
  max: 10_000,
});
const users = weir.namespace('users');
const lru = new LRUCache({
  max: 10_000,
  ttl: MINUTE,
  fetchMethod: (key, _stale, { context = load }) => context(key),
});
const bento = new BentoCache({
  default: 'memory',
  stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, serialize: false })) },
});
const cacheable = new Cacheable({ ttl: MINUTE });
const manager = managerCache({ ttl: MINUTE });
const dedupe = dedupeCache({ ttl: 60, storage: { type: 'memory', options: { size: 10_000 } } });
dedupe.define('user', load);
dedupe.define('slow', () => slowLoad());
const cachifiedStore = new LRUCache({ max: 10_000 });
const viaCachified = (key, getFreshValue) =>
  cachified({ key, cache: cachifiedStore, ttl: MINUTE, getFreshValue });
const handStore = new Map();
const handFlights = new Map();
function hand(key, fresh) {
  const kept = handStore.get(key);
  if (kept !== undefined && performance.now() < kept.until) return kept.value;
  const flying = handFlights.get(key);
  if (flying !== undefined) return flying;
  const flight = fresh(key).then(
    (value) => {
      handFlights.delete(key);
      handStore.set(key, { value, until: performance.now() + MINUTE });
      return value;
    },
    (error) => {
      handFlights.delete(key);
      throw error;
    },
  );
  handFlights.set(key, flight);
  return flight;
}

for (const key of keys) {
  const value = record(key);
  weir.set(key, value);
  grace.set(key, value);
  users.set(key, value);
  lru.set(key, value);
  await bento.set({ key, value, ttl: '1m' });
  await cacheable.set(key, value);
  await manager.set(key, value);
  await dedupe.user(key);
  await viaCachified(key, () => load(key));
  await hand(key, load);
}

const sync = (get) => (ops) => {
  for (let i = 0; i < ops; i += 1) keep(get(keys[i % KEYS]));
};
const awaited = (get) => async (ops) => {
  for (let i = 0; i < ops; i += 1) keep(await get(keys[i % KEYS]));
};
const ratioOf = (rows, name) => rows.find((row) => row.name === name).ratio;
const times = (ratio) => `${ratio.toFixed(2)} x`;

console.log('@weir/cache, in process');

const syncRows = await compare(
  {
    'lru-cache get, ttl': sync((key) => lru.get(key)),
    'weir getOrLoad': sync((key) => weir.getOrLoad(key, loader)),
    'weir getOrLoad, all options': sync((key) => grace.getOrLoad(key, loader)),
    'weir getOrLoad, namespace': sync((key) => users.getOrLoad(key, loader)),
    'weir get': sync((key) => weir.get(key)),
    'Map and a clock read': sync((key) => hand(key, load)),
  },
  { ops: 100_000, rounds: 25 },
);
print('A hit, synchronous', syncRows);

const slow = new Set(['cacheable getOrSet', 'bentocache getOrSet', 'cachified', 'cache-manager wrap']);
const asyncRows = await compare(
  {
    'lru-cache fetch': awaited((key) => lru.fetch(key)),
    'weir getOrLoad': awaited((key) => weir.getOrLoad(key, loader)),
    'weir getOrLoad, all options': awaited((key) => grace.getOrLoad(key, loader)),
    'async-cache-dedupe': awaited((key) => dedupe.user(key)),
    'cache-manager wrap': awaited((key) => manager.wrap(key, loader)),
    cachified: awaited((key) => viaCachified(key, loader)),
    'cacheable getOrSet': awaited((key) => cacheable.getOrSet(key, loader)),
    'bentocache getOrSet': awaited((key) => bento.getOrSet({ key, factory: loader, ttl: '1m' })),
  },
  { ops: (name) => (slow.has(name) ? 4_000 : 100_000), rounds: 15 },
);
print('A hit, awaited', asyncRows);

const CALLERS = 1000;
let loads = 0;
let cold = 0;
let wait = (done) => setImmediate(done, 'value');
const slowLoad = () => {
  loads += 1;
  return new Promise((resolve) => wait(resolve));
};
/** A thousand callers on a key never seen before. */
const herd = (get) => async (herds) => {
  for (let i = 0; i < herds; i += 1) {
    cold += 1;
    const key = `cold:${cold}`;
    const caller = async () => keep(await get(key));
    await Promise.all(Array.from({ length: CALLERS }, caller));
  }
};
const herds = {
  'hand-written single flight': herd((key) => hand(key, slowLoad)),
  'weir getOrLoad': herd((key) => weir.getOrLoad(key, slowLoad)),
  'lru-cache fetch': herd((key) => lru.fetch(key, { context: slowLoad })),
  'async-cache-dedupe': herd((key) => dedupe.slow(key)),
  'cache-manager wrap': herd((key) => manager.wrap(key, slowLoad)),
  cachified: herd((key) => viaCachified(key, slowLoad)),
  'cacheable getOrSet': herd((key) => cacheable.getOrSet(key, slowLoad)),
  'bentocache getOrSet': herd((key) => bento.getOrSet({ key, factory: slowLoad, ttl: '1m' })),
};
const callerRows = await compare(herds, { ops: (name) => (slow.has(name) ? 4 : 50), rounds: 15, warmup: 3 });
for (const row of callerRows) for (const field of ['ns', 'min', 'max']) row[field] /= CALLERS;
print('1,000 callers on a cold key, the loader takes no time, per caller', callerRows);

wait = (done) => setTimeout(done, 20, 'value');
const herdRows = await compare(herds, { ops: 5, rounds: 7, warmup: 1 });
print('1,000 callers on a cold key, the loader takes 20 ms, for all', herdRows);

loads = 0;
await herds['weir getOrLoad'](1);
const coldLoads = loads;

async function failing(get) {
  let calls = 0;
  const fail = async () => {
    calls += 1;
    throw new Error('down');
  };
  const all = await Promise.allSettled(Array.from({ length: CALLERS }, () => get(fail)));
  return { calls, rejected: all.filter(({ status }) => status === 'rejected').length };
}
const failures = {
  weir: await failing((fail) => weir.getOrLoad('fails', fail)),
  'cache-manager': await failing((fail) => manager.wrap('fails', fail)),
  cachified: await failing((fail) => viaCachified('fails', fail)),
  cacheable: await failing((fail) => cacheable.getOrSet('fails', fail)),
  bentocache: await failing((fail) => bento.getOrSet({ key: 'fails', factory: fail, ttl: '1m' })),
};
console.log('\n1,000 callers, a loader that fails');
for (const [name, { calls, rejected }] of Object.entries(failures)) {
  console.log(`  ${name.padEnd(14)} ${String(calls).padStart(5)} loads, ${rejected} rejections`);
}

let next = 0;
const missRows = await compare(
  {
    'hand-written': awaited(() => hand(`miss:${next++}`, load)),
    'lru-cache fetch': awaited(() => lru.fetch(`miss:${next++}`)),
    'weir getOrLoad': awaited(() => weir.getOrLoad(`miss:${next++}`, loader)),
  },
  { ops: 10_000, rounds: 11 },
);
print('A miss with a loader that costs nothing', missRows);
handStore.clear();

if (globalThis.gc) {
  const COUNT = 100_000;
  const fill = (make, set) => () => {
    const cache = make();
    for (let i = 0; i < COUNT; i += 1) set(cache, `key:${i}`, i);
    return cache;
  };
  const set = (cache, key, value) => cache.set(key, value);
  const bytes = {
    'lru-cache, ttl': bytesEach(
      COUNT,
      fill(() => new LRUCache({ max: COUNT, ttl: MINUTE }), set),
    ).bytes,
    weir: bytesEach(
      COUNT,
      fill(() => createCache({ max: COUNT, ttl: MINUTE }), set),
    ).bytes,
  };
  console.log('\nBytes an entry, key included, value a small integer');
  for (const [name, each] of Object.entries(bytes)) console.log(`  ${name.padEnd(14)} ${each.toFixed(0)}`);
}

console.log('\nGoals');
const syncHit = ratioOf(syncRows, 'weir getOrLoad');
goal('sync hit <= 1.3x lru-cache get', times(syncHit), syncHit <= 1.3);
const asyncHit = ratioOf(asyncRows, 'weir getOrLoad');
goal('async hit <= 1.3x lru-cache fetch', times(asyncHit), asyncHit <= 1.3);
goal('1,000 callers on a cold key: 1 load', coldLoads, coldLoads === 1);
const herdRatio = ratioOf(herdRows, 'weir getOrLoad');
goal(
  '1,000 callers on a cold key <= 1.1x a hand-written single flight, 20 ms',
  times(herdRatio),
  herdRatio <= 1.1,
);
const callerRatio = ratioOf(callerRows, 'weir getOrLoad');
goal('the same with a loader that takes no time <= 1.1x', times(callerRatio), callerRatio <= 1.1);
const { calls, rejected } = failures.weir;
goal(
  '1,000 callers, failing loader: 1 load, 1,000 rejections',
  `${calls}, ${rejected}`,
  calls === 1 && rejected === CALLERS,
);

await bento.disconnectAll();
process.exit(0);
