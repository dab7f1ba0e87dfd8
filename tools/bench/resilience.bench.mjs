// Resilience: what strategies add to a call that succeeds, and policies to a request that passes.
import {
  ConsecutiveBreaker,
  circuitBreaker as cockatielBreaker,
  bulkhead as cockatielBulkhead,
  retry as cockatielRetry,
  timeout as cockatielTimeout,
  ExponentialBackoff,
  handleAll,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
import { createBreaker } from '../../packages/circuit-breaker/dist/index.js';
import {
  adaptiveLimit,
  adaptiveThrottle,
  bulkhead,
  compose,
  concurrencyLimit,
  hedge,
  loadShed,
  retry,
  retryBudget,
  timeout,
  wrapFetch,
} from '../../packages/resilience/dist/index.js';
import { compare, keep, print } from './harness.mjs';

const work = async () => 1;
const inTurn = (call) => async (ops) => {
  for (let i = 0; i < ops; i += 1) keep(await call());
};

async function strategies() {
  const budget = retryBudget();
  const kept = {
    retry: retry({ budget }),
    timeout: timeout('1s'),
    bulkhead: bulkhead({ concurrency: 10 }),
    hedge: hedge({ after: '1s' }),
    throttle: adaptiveThrottle(),
  };
  const composed = compose(retry({ budget }), createBreaker(), timeout('1s'), bulkhead({ concurrency: 10 }));
  const theirRetry = cockatielRetry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() });
  const theirBulkhead = cockatielBulkhead(10);
  const theirTimeout = cockatielTimeout(1000, TimeoutStrategy.Aggressive);
  const theirs = wrap(
    theirRetry,
    cockatielBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
    theirTimeout,
  );
  const rows = await compare(
    {
      'bare await fn()': inTurn(work),
      ...Object.fromEntries(
        Object.entries(kept).map(([name, run]) => [`weir ${name}`, inTurn(() => run(work))]),
      ),
      'weir compose(retry, breaker, timeout, bulkhead)': inTurn(() => composed(work)),
      'cockatiel retry': inTurn(() => theirRetry.execute(work)),
      'cockatiel bulkhead': inTurn(() => theirBulkhead.execute(work)),
      'cockatiel timeout': inTurn(() => theirTimeout.execute(work)),
      'cockatiel wrap(retry, breaker, timeout)': inTurn(() => theirs.execute(work)),
    },
    { ops: 5_000 },
  );
  print('Strategies around a call that succeeds', rows);
}

async function policies() {
  const x = {
    method: 'GET',
    path: '/',
    get signal() {
      return new AbortController().signal;
    },
  };
  const outcome = { status: 200, kind: 'ok', headMs: 1, durationMs: 1 };
  const pass = (policy) => (ops) => {
    for (let i = 0; i < ops; i += 1) {
      const leave = policy.enter(x);
      if (typeof leave === 'function') leave(outcome);
    }
  };
  const shed = loadShed();
  const rows = await compare({
    'performance.now()': (ops) => {
      for (let i = 0; i < ops; i += 1) keep(performance.now());
    },
    concurrencyLimit: pass(concurrencyLimit({ limit: 10 })),
    adaptiveLimit: pass(adaptiveLimit()),
    loadShed: pass(shed),
  });
  shed.close();
  print('A request through a policy, entered and left', rows);
}

async function fetches() {
  const answer = new Response('ok');
  const fake = async () => answer;
  const url = 'https://prices.example/all';
  const full = wrapFetch(fake, {
    timeout: '1s',
    deadline: '2s',
    retry: { budget: retryBudget() },
    breaker: createBreaker(),
    bulkhead: bulkhead({ concurrency: 10 }),
  });
  const plain = wrapFetch(fake, {});
  const rows = await compare(
    {
      'bare await fetch()': inTurn(() => fake(url)),
      'wrapFetch, retry only': inTurn(() => plain(url)),
      'wrapFetch, all of it': inTurn(() => full(url)),
    },
    { ops: 5_000 },
  );
  print('wrapFetch around a fetch that does nothing', rows);
}

await strategies();
await fetches();
await policies();
