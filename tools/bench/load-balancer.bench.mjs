// Load balancing: what it costs to choose a server and to give it back. Each strategy runs in a process of its own, as it
// does in an application: one pool, one strategy. The last table has all of them in one process.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import HashRing from 'hashring';
import { BalancedPool } from 'undici';
import { coarseClock } from '../../packages/core/dist/index.js';
import {
  consistentHash,
  createPool,
  ipHash,
  leastConnections,
  leastResponseTime,
  powerOfTwoChoices,
  random,
  roundRobin,
  weightedRandom,
  weightedRoundRobin,
} from '../../packages/load-balancer/dist/index.js';
import { compare, goal, keep, print } from './harness.mjs';

const strategies = {
  roundRobin,
  weightedRoundRobin,
  random,
  weightedRandom,
  powerOfTwoChoices,
  leastConnections,
  leastResponseTime,
  consistentHash,
  ipHash,
};
/** Limits for 3 to 10 servers, and for 1000, ns. */
const goals = {
  roundRobin: [10, 10],
  weightedRoundRobin: [20, 20],
  powerOfTwoChoices: [60, 60],
  leastConnections: [80, 120],
  leastResponseTime: [150, 150],
};
const sizes = [3, 10, 1000];

const servers = (n, weighted) =>
  Array.from({ length: n }, (_, i) => ({ url: `http://s${i}`, weight: weighted ? 1 + (i % 5) : 1 }));
const request = { key: 'user:1000001', ip: '203.0.113.7' };
const ok = { outcome: 'ok', durationMs: 5 };

function poolOf(name, n, options) {
  const pool = createPool(servers(n, name.startsWith('weighted')), {
    strategy: strategies[name](),
    ...options,
  });
  // Longer than any period of the weights used here: sequences are worked out as they are first gone through.
  for (let i = 0; i < 5 * n; i += 1) pool.acquire(request).release(ok);
  return pool;
}

const pairs = (pool) => (ops) => {
  for (let i = 0; i < ops; i += 1) pool.acquire(request).release(ok);
};

/** The same as a proxy asks that keeps a breaker for each server. */
const admitted = (pool) => {
  const admit = () => true;
  return (ops) => {
    for (let i = 0; i < ops; i += 1) pool.acquire({ ...request, admit }).release(ok);
  };
};

/** The same with four leases out for each server, given back in the order in which they were taken. */
const busy = (pool, n) => {
  const held = Array.from({ length: 4 * n }, () => pool.acquire(request));
  let at = 0;
  return (ops) => {
    for (let i = 0; i < ops; i += 1) {
      held[at].release(ok);
      held[at] = pool.acquire(request);
      at = at + 1 === held.length ? 0 : at + 1;
    }
  };
};

const counter = (ops) => {
  let count = 0;
  for (let i = 0; i < ops; i += 1) count = count === 9 ? 0 : count + 1;
  keep(count);
};

/** Bytes on the heap for each operation, in a run too short for a collection. */
function garbage(run, ops) {
  run(200_000);
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  run(ops);
  return (process.memoryUsage().heapUsed - before) / ops;
}

/** One strategy, alone. */
async function alone(name) {
  const rows = [];
  for (const n of sizes) {
    const options = name === 'leastResponseTime' ? { clock: coarseClock() } : {};
    const contenders = { counter, idle: pairs(poolOf(name, n)), busy: busy(poolOf(name, n), n) };
    if (name === 'leastConnections') contenders.admitted = admitted(poolOf(name, n));
    if (name === 'leastResponseTime') contenders.coarse = pairs(poolOf(name, n, options));
    const measured = await compare(contenders, { ops: 20_000, rounds: 60, warmup: 10 });
    options.clock?.close();
    rows.push({
      n,
      ...Object.fromEntries(measured.map((row) => [row.name, row.min])),
      bytes: garbage(pairs(poolOf(name, n)), 20_000),
    });
  }
  return rows;
}

async function together() {
  const n = 10;
  const undici = new BalancedPool(servers(n).map(({ url }) => url));
  const get = Object.getOwnPropertySymbols(BalancedPool.prototype).find((each) =>
    /get dispatcher/i.test(String(each)),
  );
  const ring = new HashRing(servers(n).map(({ url }) => url));
  const rows = await compare(
    {
      ...Object.fromEntries(Object.keys(strategies).map((name) => [`weir ${name}`, pairs(poolOf(name, n))])),
      'undici BalancedPool (choice only)': (ops) => {
        for (let i = 0; i < ops; i += 1) keep(undici[get]());
      },
      'hashring (choice only)': (ops) => {
        for (let i = 0; i < ops; i += 1) keep(ring.get(request.key));
      },
      'performance.now()': (ops) => {
        for (let i = 0; i < ops; i += 1) keep(performance.now());
      },
    },
    { ops: 200_000, rounds: 7 },
  );
  await undici.destroy();
  print(`${n} servers, all strategies in one process`, rows);
}

const [only] = process.argv.slice(2);
if (only !== undefined) console.log(JSON.stringify(await alone(only)));
else {
  console.log(
    `\nA server chosen and given back, ns (node ${process.version}, best of rounds, since this is a few ns on a machine that others use)`,
  );
  console.log(
    '  busy: with four requests in flight on each; coarse: on coarseClock(); admitted: with a breaker to be asked; bytes: garbage of one, the lease included',
  );
  const self = fileURLToPath(import.meta.url);
  const met = [];
  for (const name of Object.keys(strategies)) {
    const rows = JSON.parse(
      execFileSync(process.execPath, ['--expose-gc', self, name], { encoding: 'utf8' }),
    );
    for (const { n, idle, busy: loaded, coarse, admitted: asked, bytes } of rows) {
      const further = [
        ['coarse', coarse],
        ['admitted', asked],
      ]
        .filter(([, ns]) => ns !== undefined)
        .map(([what, ns]) => `  ${what} ${ns.toFixed(1).padStart(6)}`)
        .join('');
      console.log(
        `  ${name.padEnd(20)} n = ${String(n).padStart(4)}  ${idle.toFixed(1).padStart(6)}  busy ${loaded.toFixed(1).padStart(6)}  bytes ${bytes.toFixed(0).padStart(4)}${further}`,
      );
    }
    const limits = goals[name];
    if (limits === undefined) continue;
    for (const [limit, seen, what] of [
      [limits[0], Math.max(rows[0].idle, rows[1].idle), '3 to 10 servers'],
      [limits[1], rows[2].idle, '1000 servers'],
    ]) {
      met.push([`${name}, ${what}, <= ${limit} ns`, `${seen.toFixed(1)} ns`, seen <= limit]);
    }
  }
  for (const each of met) goal(...each);
  await together();
}
