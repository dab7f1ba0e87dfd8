// Consistent hashing: what a lookup, a build and a change cost beside peers and beside the bare hash; how evenly keys
// are spread, what moves needlessly, what a ring weighs.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import ConsistentHash from 'consistent-hash';
import { build } from 'esbuild';
import HashRing from 'hashring';
import NodeHashRing from 'node-hashring';
import rendezvousHash from 'rendezvous-hash';
import {
  boundedLoad,
  createEnvoyMaglev,
  createEnvoyRing,
  createJump,
  createKetama,
  createMaglev,
  createRendezvous,
  createRing,
  diff,
  hashKey,
} from '../../packages/consistent-hash/dist/index.js';
import { bytesEach, compare, goal, keep, print } from './harness.mjs';

const keys = Array.from({ length: 20_000 }, (_, i) => `user:session:${1_000_000 + i}`);
const names = (count) => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:8080`);
const sizes = [10, 100, 1000];
const row = (rows, name) => rows.find((each) => each.name === name);
const times = (value) => `${value.toFixed(2)} x`;

/** A loop of its own for each contender, so that what the compiler learns of one does not count for another. */
const lookups = (subject, call) =>
  new Function(
    'subject',
    'keys',
    'keep',
    `return (ops) => {
      for (let i = 0, at = 0; i < ops; i += 1) {
        keep(${call});
        at = at + 1 === keys.length ? 0 : at + 1;
      }
    };`,
  )(subject, keys, keep);
const get = (subject) => lookups(subject, 'subject.get(keys[at])');
/** A sum of hashes, since a hash that nobody reads might not be computed. */
const bareHash = (ops) => {
  let sum = 0;
  for (let i = 0, at = 0; i < ops; i += 1) {
    sum ^= hashKey(keys[at]);
    at = at + 1 === keys.length ? 0 : at + 1;
  }
  keep(sum);
};

function consistentHash(nodes) {
  const ring = new ConsistentHash({ range: 2 ** 24, controlPoints: 160 });
  for (const node of nodes) ring.add(node);
  ring.get('the first lookup sorts');
  return ring;
}

async function ownLookups(count) {
  const nodes = names(count);
  const rows = await compare(
    {
      'bare hash': bareHash,
      'weir ring': get(createRing(nodes)),
      'weir Maglev': get(createMaglev(nodes)),
    },
    // Many short rounds, since what else runs on the machine takes the caches away.
    { ops: 100_000, rounds: 41 },
  );
  print(`get, ${count} nodes, beside the bare hash`, rows);
  const limit = count === 1000 ? 2 : 1.3;
  const [ring, maglev] = [row(rows, 'weir ring').ratio, row(rows, 'weir Maglev').ratio];
  goal(`ring, ${count} nodes, <= ${limit} x the bare hash`, times(ring), ring <= limit);
  goal(`Maglev, ${count} nodes, <= 1.3 x the bare hash`, times(maglev), maglev <= 1.3);
}

async function peerLookups(count) {
  const nodes = names(count);
  const contenders = {
    'npm hashring': get(new HashRing(nodes)),
    'npm hashring, hot keys': lookups(new HashRing(nodes), 'subject.get(keys[at & 1023])'),
    'npm consistent-hash': get(consistentHash(nodes)),
    'npm node-hashring': lookups(new NodeHashRing(nodes, 160), 'subject.findNode(keys[at])'),
    'npm rendezvous-hash': lookups(
      { select: rendezvousHash, nodes: Object.fromEntries(nodes.map((node) => [node, node])) },
      'subject.select(keys[at], subject.nodes)',
    ),
    'weir ring': get(createRing(nodes)),
    'weir ring, hot keys': lookups(createRing(nodes), 'subject.get(keys[at & 1023])'),
    'weir Maglev': get(createMaglev(nodes)),
    'weir jump': get(createJump(count)),
    'weir rendezvous': get(createRendezvous(nodes)),
    'weir ketama': get(createKetama(nodes)),
    'weir Envoy ring': get(createEnvoyRing(nodes)),
    'weir Envoy Maglev': get(createEnvoyMaglev(nodes)),
    'weir bounded load, taken and released': lookups(
      boundedLoad(createRing(nodes)),
      'subject.acquire(keys[at]).release()',
    ),
  };
  const slow = { 'npm rendezvous-hash': 20_000 / count, 'weir rendezvous': 2_000_000 / count };
  const rows = await compare(contenders, {
    ops: (name) => Math.min(slow[name] ?? Infinity, name.startsWith('npm hashring') ? 20_000 : 100_000),
    rounds: 7,
    warmup: 1,
  });
  print(`get, ${count} nodes, beside peers`, rows);
  const faster = 1 / row(rows, 'weir ring').ratio;
  goal(`ring, ${count} nodes, >= 20 x hashring`, times(faster), faster >= 20);
}

async function builds(count) {
  const nodes = names(count);
  const repeat = (make) => (ops) => {
    for (let i = 0; i < ops; i += 1) keep(make());
  };
  const rows = await compare(
    {
      'npm hashring': repeat(() => new HashRing(nodes)),
      'npm consistent-hash': repeat(() => consistentHash(nodes)),
      'npm node-hashring': repeat(() => new NodeHashRing(nodes, 160)),
      'weir ring': repeat(() => createRing(nodes)),
      'weir Maglev': repeat(() => createMaglev(nodes)),
      'weir ketama': repeat(() => createKetama(nodes)),
      'weir Envoy Maglev': repeat(() => createEnvoyMaglev(nodes)),
    },
    { ops: count === 1000 ? 1 : 5, rounds: 7 },
  );
  print(`Building, ${count} nodes`, rows);
  const { ratio } = row(rows, 'weir ring');
  goal(`a ring of ${count} nodes is built in <= 1/3 of hashring's time`, times(ratio), ratio <= 1 / 3);
}

async function changes(count) {
  const nodes = names(count);
  const ring = createRing(nodes);
  const table = createMaglev(nodes);
  const repeat = (change) => (ops) => {
    for (let i = 0; i < ops; i += 1) keep(change(i));
  };
  const rows = await compare(
    {
      'building the ring': repeat(() => createRing(nodes)),
      'ring.with': repeat((i) => ring.with(`node-${i}`)),
      'ring.without': repeat((i) => ring.without(nodes[i])),
      'many changes in a row, each': (ops) => {
        let changed = ring;
        for (let i = 0; i < ops; i += 1)
          changed = i % 2 ? changed.without(nodes[i]) : changed.with(`node-${i}`);
        keep(changed);
      },
      'building the Maglev table': repeat(() => createMaglev(nodes)),
      'maglev.without': repeat((i) => table.without(nodes[i])),
    },
    { ops: (name) => (name.startsWith('many') ? 300 : 10), rounds: 7 },
  );
  print(`Changing one node of ${count}`, rows);
  for (const change of ['ring.with', 'ring.without']) {
    const { ratio } = row(rows, change);
    const seen = `${(100 * ratio).toFixed(1)} %`;
    goal(`${change} at ${count} nodes <= 5 % of a rebuild`, seen, ratio <= 0.05);
  }
}

function allocations() {
  console.log('\nBytes that 200,000 lookups of ASCII keys allocate');
  const nodes = names(100);
  const subjects = {
    ring: get(createRing(nodes)),
    Maglev: get(createMaglev(nodes)),
    rendezvous: get(createRendezvous(nodes)),
    jump: get(createJump(100)),
    ketama: get(createKetama(nodes)),
    'Envoy ring': get(createEnvoyRing(nodes)),
    'Envoy Maglev': get(createEnvoyMaglev(nodes)),
  };
  for (const [name, run] of Object.entries(subjects)) {
    run(200_000);
    run(200_000);
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    run(200_000);
    const bytes = Math.max(0, process.memoryUsage().heapUsed - before);
    // Asking costs a few kilobytes itself.
    goal(`${name}: 0 a lookup`, `${(bytes / 200_000).toFixed(2)} bytes`, bytes / 200_000 < 0.5);
  }
}

function weights() {
  console.log('\nBytes a ring keeps, 160 points a node');
  for (const count of sizes) {
    const nodes = names(count);
    const points = count * 160;
    createRing(nodes);
    const { bytes } = bytesEach(points, () => createRing(nodes));
    const theirs = bytesEach(points, () => new HashRing(nodes)).bytes;
    console.log(
      `  ${count} nodes: ${bytes.toFixed(1)} a point, index and all; hashring ${theirs.toFixed(1)}`,
    );
  }
}

function evenness() {
  console.log('\nThe largest share of a node, times the mean');
  const kinds = {
    'ring, 160 points a node': (nodes) => createRing(nodes),
    'ring, 512': (nodes) => createRing(nodes, { vnodes: 512 }),
    'Maglev, 65,537 slots': (nodes) => createMaglev(nodes),
  };
  const limits = { 'ring, 512': [1.1, 1.15], 'Maglev, 65,537 slots': [1.01, 1.03] };
  for (const [kind, make] of Object.entries(kinds)) {
    for (const [i, count] of [10, 100].entries()) {
      const { maxLoad } = make(names(count)).stats();
      const limit = limits[kind]?.[i];
      if (limit === undefined) console.log(`  ${kind}, ${count} nodes: ${maxLoad.toFixed(3)}`);
      else goal(`${kind}, ${count} nodes, <= ${limit}`, maxLoad.toFixed(3), maxLoad <= limit);
    }
  }
}

function needlessMoves() {
  console.log('\nKeys of other nodes that move when one of 100 goes');
  const nodes = names(100);
  const needless = (topology) => {
    let sum = 0;
    for (let i = 0; i < 20; i += 1) {
      const gone = nodes[i * 5];
      for (const { from, share } of diff(topology, topology.without(gone)).moves)
        if (from !== gone) sum += share;
    }
    return (100 * sum) / 20;
  };
  const ring = needless(createRing(nodes));
  goal('ring: none', `${ring} %`, ring === 0);
  const maglev = needless(createMaglev(nodes));
  goal('Maglev, 65,537 slots, <= 0.6 %', `${maglev.toFixed(2)} %`, maglev <= 0.6);
  const large = needless(createMaglev(nodes, { size: 655_373 }));
  console.log(`  Maglev, 655,373 slots: ${large.toFixed(2)} %`);
}

async function moduleSizes() {
  console.log('\nModule, minified and gzipped, with what it uses of core');
  const entry = fileURLToPath(new URL('../../packages/consistent-hash/dist/index.js', import.meta.url));
  for (const [code, limit] of [
    ['createRing', 3072],
    ['createMaglev'],
    ['createRendezvous'],
    ['createKetama'],
    ['createJump'],
    ['createRing, shard, fromHeader'],
  ]) {
    const { outputFiles } = await build({
      stdin: {
        contents: `export { ${code} } from ${JSON.stringify(entry)};`,
        resolveDir: fileURLToPath(new URL('.', import.meta.url)),
      },
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'neutral',
      target: 'es2023',
      write: false,
    });
    const bytes = gzipSync(outputFiles[0].contents).length;
    if (limit === undefined) console.log(`  ${code}: ${bytes} bytes`);
    else goal(`${code} <= ${limit} bytes`, `${bytes} bytes`, bytes <= limit);
  }
}

for (const count of sizes) await ownLookups(count);
allocations();
for (const count of sizes) await peerLookups(count);
for (const count of [100, 1000]) await builds(count);
await changes(1000);
weights();
evenness();
needlessMoves();
await moduleSizes();
