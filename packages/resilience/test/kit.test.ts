import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createBreaker, createBreakers } from '@weir/circuit-breaker';
import { ManualClock } from '@weir/core/testing';
import { createPool, roundRobin } from '@weir/load-balancer';
import { createLimiter, tokenBucket } from '@weir/rate-limit';
import { afterEach, expect, it } from 'vitest';
import { adaptiveThrottle, bulkhead, retryBudget, wrapFetch } from '../src/index.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
async function serve(status: () => number): Promise<{ url: string; seen: () => number }> {
  let seen = 0;
  const server = createServer((_request, response) => {
    seen += 1;
    response.writeHead(status()).end('answer');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen: () => seen };
}

it('sends at most 1.2 times the requests at 50 a second that all fail, over real connections', async () => {
  const { url, seen } = await serve(() => 503);
  const clock = new ManualClock();
  const call = wrapFetch(fetch, { retry: { attempts: 5, delay: 0, budget: retryBudget({ clock }), clock } });
  const requests = 300;
  for (let i = 0; i < requests; i += 1) {
    clock.advance(20);
    await (await call(url)).arrayBuffer();
  }
  expect(seen() / requests).toBeLessThanOrEqual(1.2);
  expect(seen()).toBeGreaterThan(requests);
});

it('gives outbound calls limits, retries, a breaker and balancing in one line', async () => {
  let down = false;
  const [bad, good] = [await serve(() => 503), await serve(() => (down ? 500 : 200))];
  const clock = new ManualClock();
  const breakers = createBreakers({ max: 10, minimumCalls: 12, failureRate: 0.6, clock });
  using pool = createPool([bad.url, good.url], { strategy: roundRobin(), outliers: false, clock });
  const limiter = createLimiter({ limits: tokenBucket({ limit: 20, per: '1m' }), clock });
  const call = wrapFetch(fetch, {
    limiter: { wait: (key, { signal }) => limiter.wait(key, { signal, maxWait: 0 }) },
    retry: { attempts: 3, delay: 0, budget: retryBudget({ ratio: 1, clock }) },
    breaker: (url) => breakers.get(url.origin),
    throttle: adaptiveThrottle({ clock, random: () => 0.999 }),
    bulkhead: bulkhead({ concurrency: 5 }),
    pool,
    clock,
  });
  const get = async (): Promise<number> => {
    const response = await call('http://prices.example/all');
    await response.arrayBuffer();
    return response.status;
  };
  for (let i = 0; i < 6; i += 1) expect(await get()).toBe(200);
  expect([bad.seen() > 0, good.seen()]).toEqual([true, 6]);
  expect(breakers.get('http://prices.example').state).toBe('closed');
  down = true;
  const refusals = new Set<string>();
  const ask = (): Promise<unknown> => get().catch((error: { code: string }) => refusals.add(error.code));
  await Promise.all(Array.from({ length: 10 }, ask));
  expect(refusals).toContain('ERR_WEIR_BULKHEAD_FULL');
  for (let i = 0; i < 10; i += 1) await ask();
  expect(refusals).toContain('ERR_WEIR_BREAKER_OPEN');
  expect(refusals).toContain('ERR_WEIR_LIMITED');
});

it('opens a real breaker on statuses, and makes no further attempt then', async () => {
  const { url, seen } = await serve(() => 503);
  const breaker = createBreaker({ minimumCalls: 4, openFor: '1h' });
  const call = wrapFetch(fetch, { retry: { attempts: 10, delay: 0 }, breaker });
  await expect(call(url)).rejects.toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN' });
  expect(seen()).toBe(4);
  await expect(call(url)).rejects.toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN' });
  expect(seen()).toBe(4);
});

it('lets the process exit while everything still waits', () => {
  const script = `
    const kit = await import('@weir/resilience');
    const { fakeExchange } = await import('@weir/core/testing');
    const never = () => new Promise(() => {});
    const limit = kit.bulkhead({ concurrency: 1, queue: 1, maxWait: '1h' });
    const all = kit.compose(kit.retry({ timeout: '1h', deadline: '2h' }), kit.hedge({ after: '1h' }), kit.timeout('1h'), limit);
    all(never).catch(() => {});
    all(never).catch(() => {});
    const policies = [
      kit.concurrencyLimit({ limit: 1, queue: 1, maxWait: '1h' }),
      kit.adaptiveLimit(),
      kit.loadShed(),
    ];
    for (const policy of policies) for (let i = 0; i < 2; i += 1) policy.enter(fakeExchange());
    console.log(limit.snapshot().inFlight, limit.snapshot().waiting);`;
  const args = ['--conditions=@weir/source', '--input-type=module', '--eval', script];
  const output = execFileSync(process.execPath, args, {
    cwd: import.meta.dirname,
    timeout: 15_000,
    encoding: 'utf8',
  });
  expect(output).toBe('1 1\n');
});
