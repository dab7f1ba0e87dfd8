// Circuit breakers: what a call costs, closed and open, what a breaker weighs, what the module weighs.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import {
  ConsecutiveBreaker,
  circuitBreaker as cockatielBreaker,
  handleAll,
  SamplingBreaker,
} from 'cockatiel';
import { build } from 'esbuild';
import { Circuit, SlidingCountBreaker } from 'mollitia';
import Opossum from 'opossum';
import {
  circuitBreaker,
  countWindow,
  createBreaker,
  timeWindow,
} from '../../packages/circuit-breaker/dist/index.js';
import { createOpossumBreaker } from '../../packages/circuit-breaker/dist/opossum.js';
import { coarseClock } from '../../packages/core/dist/index.js';
import { bytesEach, compare, goal, keep, print } from './harness.mjs';

const work = async () => 1;
const failing = async () => {
  throw failure;
};
const failure = new Error('down');
const row = (rows, name) => rows.find((each) => each.name === name);
const times = (value) => `${value.toFixed(2)} x`;
const inTurn = (call) => async (ops) => {
  for (let i = 0; i < ops; i += 1) keep(await call());
};
const rejected = (call) => async (ops) => {
  for (let i = 0; i < ops; i += 1) await call().catch(keep);
};

async function closedCalls() {
  const count = createBreaker({ window: countWindow(100) });
  const alone = await compare(
    { 'bare await fn()': inTurn(work), 'weir execute, count window': inTurn(() => count.execute(work)) },
    { ops: 50_000 },
  );
  print('A call that succeeds, closed', alone);
  const countRatio = row(alone, 'weir execute, count window').ratio;
  goal('execute, count window, <= 2.5 x bare', times(countRatio), countRatio <= 2.5);
  const time = createBreaker({ window: timeWindow('10s') });
  const hardened = createOpossumBreaker();
  const opossum = new Opossum(work);
  const lean = new Opossum(work, {
    timeout: false,
    enableSnapshots: false,
    rollingPercentilesEnabled: false,
  });
  const sampling = cockatielBreaker(handleAll, {
    halfOpenAfter: 10_000,
    breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000 }),
  });
  const consecutive = cockatielBreaker(handleAll, {
    halfOpenAfter: 10_000,
    breaker: new ConsecutiveBreaker(5),
  });
  const mollitia = new Circuit({ options: { modules: [new SlidingCountBreaker()] } });
  const rows = await compare(
    {
      'bare await fn()': inTurn(work),
      'weir execute, count window': inTurn(() => count.execute(work)),
      'weir execute, time window': inTurn(() => time.execute(work)),
      'weir on opossum': inTurn(() => hardened.execute(work)),
      'opossum, default': inTurn(() => opossum.fire()),
      'opossum, lean': inTurn(() => lean.fire()),
      'cockatiel, sampling': inTurn(() => sampling.execute(work)),
      'cockatiel, consecutive': inTurn(() => consecutive.execute(work)),
      mollitia: inTurn(() => mollitia.fn(work).execute()),
    },
    { ops: (name) => (name === 'mollitia' ? 5_000 : 50_000) },
  );
  opossum.shutdown();
  lean.shutdown();
  print('The same with all kinds of breakers in one process', rows);
  const opossumRatio = row(rows, 'opossum, default').ratio / row(rows, 'weir execute, time window').ratio;
  const timeRatio = row(rows, 'weir execute, time window').ratio;
  goal('execute, time window, <= 7 x bare', times(timeRatio), timeRatio <= 7);
  goal('execute, time window, >= 4 x faster than default opossum', times(opossumRatio), opossumRatio >= 4);
}

async function permits() {
  const pair = (breaker) => (ops) => {
    for (let i = 0; i < ops; i += 1) breaker.success(breaker.tryAcquire());
  };
  const base = (ops) => {
    for (let i = 0; i < ops; i += 1) keep(performance.now());
  };
  const count = pair(createBreaker({ window: countWindow(100) }));
  const alone = await compare({ 'performance.now()': base, 'count window': count }, { ops: 500_000 });
  print('A permit taken and reported', alone);
  const { ns } = row(alone, 'count window');
  goal('permit pair, count window, <= 15 ns', `${ns.toFixed(1)} ns`, ns <= 15);
  return { base, count, pair };
}

async function mixedPermits({ base, count, pair }) {
  const mixed = await compare(
    {
      'performance.now()': base,
      'count window': count,
      'time window': pair(createBreaker()),
      'count window, slowCallAfter': pair(createBreaker({ window: countWindow(100), slowCallAfter: '1s' })),
    },
    { ops: 500_000 },
  );
  print('The same with all kinds of breakers in one process', mixed);
}

async function openCalls() {
  const timed = createBreaker({ consecutiveFailures: 1, openFor: '1h' });
  timed.failure(timed.tryAcquire());
  const clock = coarseClock();
  const coarse = createBreaker({ consecutiveFailures: 1, openFor: '1h', clock });
  coarse.failure(coarse.tryAcquire());
  const opossum = new Opossum(work);
  opossum.open();
  const cockatiel = cockatielBreaker(handleAll, { halfOpenAfter: 1e9, breaker: new ConsecutiveBreaker(1) });
  await cockatiel.execute(failing).catch(keep);
  const rows = await compare(
    {
      opossum: rejected(() => opossum.fire()),
      cockatiel: rejected(() => cockatiel.execute(work)),
      'weir tryAcquire, open': (ops) => {
        for (let i = 0; i < ops; i += 1) keep(timed.tryAcquire());
      },
      'weir tryAcquire, open, coarseClock()': (ops) => {
        for (let i = 0; i < ops; i += 1) keep(coarse.tryAcquire());
      },
      'performance.now()': (ops) => {
        for (let i = 0; i < ops; i += 1) keep(performance.now());
      },
      'weir execute, rejecting': rejected(() => timed.execute(work)),
    },
    { ops: (name) => (/tryAcquire|now/.test(name) ? 500_000 : 5_000) },
  );
  opossum.shutdown();
  clock.close();
  print('A call that is refused, open', rows);
  for (const [clockName, suffix] of [
    ['the system clock', ''],
    ['coarseClock()', ', coarseClock()'],
  ]) {
    const cheaper = 1 / row(rows, `weir tryAcquire, open${suffix}`).ratio;
    goal(`an open refusal >= 100 x cheaper than opossum, with ${clockName}`, times(cheaper), cheaper >= 100);
  }
}

async function failures() {
  const contenders = {};
  for (const calls of [100, 10_000, 1_000_000]) {
    const breaker = createBreaker({ window: countWindow(calls), failureRate: 1 });
    for (let i = 0; i < calls; i += 1) breaker.success(breaker.tryAcquire());
    contenders[`weir, ${calls} calls in a count window`] = (ops) => {
      for (let i = 0; i < ops; i += 1) {
        breaker.failure(breaker.tryAcquire());
        breaker.success(breaker.tryAcquire());
      }
    };
  }
  const time = createBreaker({ window: timeWindow('1h'), failureRate: 1 });
  for (let i = 0; i < 1_000_000; i += 1) time.success(time.tryAcquire());
  contenders['weir, 1000000 calls in a time window'] = (ops) => {
    for (let i = 0; i < ops; i += 1) {
      time.failure(time.tryAcquire());
      time.success(time.tryAcquire());
    }
  };
  const opossum = new Opossum((fails) => (fails ? failing() : work()), {
    errorThresholdPercentage: 100,
    rollingCountTimeout: 3_600_000,
  });
  for (let i = 0; i < 10_000; i += 1) await opossum.fire(false);
  contenders['opossum, 10000 calls in its window'] = rejected(() => opossum.fire(true));
  const rows = await compare(contenders, {
    ops: (name) => (name.startsWith('opossum') ? 10 : 100_000),
    rounds: 5,
  });
  opossum.shutdown();
  print('A failure', rows);
  const worst = Math.max(...rows.filter(({ name }) => name.startsWith('weir')).map(({ ns }) => ns));
  goal('a failure <= 10 us at any window', `${worst.toFixed(0)} ns`, worst <= 10_000);
}

function weights() {
  console.log('\n10,000 breakers, each after 20 calls');
  const count = 10_000;
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const many = (make, call) => () =>
    Array.from({ length: count }, (_, i) => {
      const breaker = make(i);
      for (let calls = 0; calls < 20; calls += 1) call(breaker);
      return breaker;
    });
  const pair = (breaker) => breaker.success(breaker.tryAcquire());
  const names = Array.from({ length: count }, (_, i) => `b${i}`);
  const before = timers();
  const weigh = (what, make) => {
    const { bytes } = bytesEach(count, make);
    console.log(`  ${what.padEnd(24)} ${bytes.toFixed(0).padStart(6)} bytes each`);
    return bytes;
  };
  const time = weigh(
    'weir, time window',
    many((i) => createBreaker({ name: names[i] }), pair),
  );
  const calls = weigh(
    'weir, count window',
    many((i) => createBreaker({ name: names[i], window: countWindow(100) }), pair),
  );
  const started = timers() - before;
  weigh(
    'cockatiel, sampling',
    many(
      () =>
        cockatielBreaker(handleAll, {
          halfOpenAfter: 10_000,
          breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000 }),
        }),
      () => {},
    ),
  );
  const opossums = many(
    (i) => new Opossum(work, { name: names[i] }),
    () => {},
  );
  weigh('opossum, default', () => {
    const made = opossums();
    for (const each of made) each.shutdown();
    return made;
  });
  const worst = Math.max(time, calls);
  goal('<= 640 bytes a breaker', `${worst.toFixed(0)} bytes`, worst <= 640);
  goal('0 timers at 10,000 breakers', `${started}`, started === 0);
}

async function moduleSize() {
  const folder = fileURLToPath(new URL('../../packages/circuit-breaker/', import.meta.url));
  const weigh = async (contents) => {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: folder },
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2023',
      write: false,
    });
    return gzipSync(outputFiles[0].contents, { level: 9 }).length;
  };
  const core = await weigh("export { StateMachine } from './src/internal/state-machine.ts';");
  const whole = await weigh("export { createBreaker, countWindow, timeWindow } from './dist/index.js';");
  console.log(
    `\nModule, gzipped: createBreaker and windows with option checks, errors, metrics: ${whole} bytes`,
  );
  goal('core (state machine and windows) <= 2.5 kB gzip', `${core} bytes`, core <= 2560);
}

async function policy() {
  const x = { method: 'GET', path: '/' };
  const outcome = { status: 200, kind: 'ok', headMs: 1, durationMs: 1 };
  const pass = (guard) => (ops) => {
    for (let i = 0; i < ops; i += 1) guard.enter(x)(outcome);
  };
  const refused = circuitBreaker();
  refused.breaker.forceOpen();
  const rows = await compare({
    'performance.now()': (ops) => {
      for (let i = 0; i < ops; i += 1) keep(performance.now());
    },
    'circuitBreaker, time window': pass(circuitBreaker()),
    'circuitBreaker, count window': pass(circuitBreaker({ window: countWindow(100) })),
    'circuitBreaker, forced open': (ops) => {
      for (let i = 0; i < ops; i += 1) keep(refused.enter(x));
    },
  });
  print('A request through the policy, entered and left', rows);
}

await moduleSize();
const permit = await permits();
await closedCalls();
await mixedPermits(permit);
await openCalls();
await failures();
weights();
await policy();
