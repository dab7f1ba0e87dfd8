import { createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Policy } from '@weir/core';
import { weir } from '@weir/http/node';
import { afterEach, expect, it } from 'vitest';
import { adaptiveLimit, concurrencyLimit, loadShed, remainingDeadline, wrapFetch } from '../src/index.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

type Handler = (path: string, response: ServerResponse) => void;
async function serve(policy: Policy, handler: Handler): Promise<string> {
  const guard = weir(policy, { onFault: () => {} });
  const server = createServer(
    guard.wrap((incoming, response) => handler(incoming.url!, response as ServerResponse)),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const status = async (url: string): Promise<number> => {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.status;
};
const until = async (happened: () => boolean): Promise<void> => {
  while (!happened()) await new Promise((resolve) => setImmediate(resolve));
};

it('bounds the requests in a handler, lets others wait, and gives the places of clients that leave to them', async () => {
  const policy = concurrencyLimit({ limit: 2, queue: 1, maxWait: '1m' });
  const under: ServerResponse[] = [];
  const url = await serve(policy, (_path, response) => void under.push(response));
  const state = () => policy.snapshot() as { inFlight: number; waiting: number };
  const leaving = request(url).on('error', () => {});
  leaving.end();
  const staying = status(url);
  await until(() => under.length === 2);
  const waiting = status(url);
  await until(() => state().waiting === 1);
  const refused = await fetch(url);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await refused.json()).toMatchObject({ status: 503 });
  leaving.destroy();
  await until(() => under.length === 3);
  for (const response of under) response.end();
  expect(await Promise.all([staying, waiting])).toEqual([200, 200]);
  await until(() => state().inFlight === 0);
});

it('finds, by the latency of a real slow server, the few requests that it can bear', async () => {
  const policy = adaptiveLimit({ interval: 20, max: 200 });
  // One worker of 5 ms: whatever comes beside waits behind it.
  let busy = Promise.resolve();
  let served = 0;
  const url = await serve(policy, (_path, response) => {
    busy = busy.then(() => new Promise((resolve) => setTimeout(resolve, 5)));
    void busy.then(() => {
      served += 1;
      response.end('ok');
    });
  });
  let refused = 0;
  const client = async (): Promise<void> => {
    while (served < 300) {
      if ((await status(url)) !== 503) continue;
      refused += 1;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await Promise.all(Array.from({ length: 40 }, client));
  expect(refused).toBeGreaterThan(100);
  expect(policy.limit).toBeLessThan(40);
  await until(() => policy.snapshot().inFlight === 0);
});

it('sheds by the requests under way, the least important first', async () => {
  const under: ServerResponse[] = [];
  const policy = loadShed({
    maxInFlight: 10,
    gauge: () => 0,
    priority: (x) => (x.path === '/health' ? 'high' : x.path === '/export' ? 'low' : 'normal'),
    random: () => 0,
  });
  const url = await serve(policy, (path, response) => {
    if (path === '/slow') under.push(response);
    else response.end();
  });
  const slow: Promise<number>[] = [];
  const busy = async (count: number): Promise<void> => {
    while (slow.length < count) slow.push(status(`${url}/slow`));
    await until(() => under.length === count);
  };
  const now = () => Promise.all(['/export', '/page', '/health'].map((path) => status(url + path)));
  await busy(4);
  expect(await now()).toEqual([200, 200, 200]);
  await busy(6);
  expect(await now()).toEqual([503, 200, 200]);
  await busy(8);
  expect(await now()).toEqual([503, 503, 200]);
  for (const response of under) response.end();
  expect(await Promise.all(slow)).toEqual(new Array(8).fill(200));
  await until(() => policy.snapshot().inFlight === 0);
  expect(await now()).toEqual([200, 200, 200]);
});

it('sheds while the event loop is really blocked, and no longer when it is not', async () => {
  using policy = loadShed({ maxDelay: 20 });
  const url = await serve(policy, (_path, response) => response.end());
  expect(await status(url)).toBe(200);
  const answers: number[] = [];
  while (!answers.includes(503)) {
    const asked = Array.from({ length: 5 }, () => status(url));
    const ends = performance.now() + 400;
    while (performance.now() < ends);
    answers.push(...(await Promise.all(asked)));
  }
  while ((await status(url)) !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
});

it('lets requests pass when the function that tells their priority throws', async () => {
  const policy = loadShed({
    gauge: () => 1000,
    priority: () => {
      throw new Error('priority');
    },
  });
  const url = await serve(policy, (_path, response) => response.end());
  expect(await status(url)).toBe(200);
  expect(policy.snapshot()).toMatchObject({ inFlight: 0 });
});

it('hands a deadline on from caller to handler', async () => {
  let left = 0;
  const policy: Policy = {
    name: 'deadline',
    enter(x) {
      left = remainingDeadline(x);
    },
  };
  const url = await serve(policy, (_path, response) => response.end());
  await wrapFetch(fetch, { deadline: '30s', deadlineHeader: 'x-deadline-ms' })(url);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(30_000);
  await fetch(url);
  expect(left).toBe(60_000);
});
