import { beforeAll, expect, test } from 'vitest';
import { GatewayProcess } from './support/gateway-process.ts';
import { Load, quantile } from './support/load.ts';
import { UpstreamProcess } from './support/upstream-process.ts';

/** How long an answer takes, and how long it takes of a server that has turned slow, but is not dead. */
const usualMs = 250;
const slowMs = 4_000;

let upstreams: UpstreamProcess[];
let gateway: GatewayProcess;
beforeAll(async () => {
  upstreams = await UpstreamProcess.several(3, { delayMs: usualMs });
  gateway = await GatewayProcess.start({
    upstreams: {
      api: {
        servers: upstreams.map(({ url }) => url),
        // So that the slow one gets its third, and nothing but the breaker keeps requests from it.
        strategy: 'roundRobin',
        breaker: { slowCallAfter: '600ms', slowCallRate: 0.5, window: { calls: 20 }, openFor: '1m' },
      },
    },
    routes: [{ name: 'api', match: {}, upstream: 'api' }],
  });
}, 60_000);

test('an upstream that turns slow is left out within five seconds, and the others serve as fast as before', async () => {
  const [, , slow] = upstreams as [UpstreamProcess, UpstreamProcess, UpstreamProcess];
  const load = new Load(90, () => gateway.ask('/'));
  await load.lasts(2_000);
  const usual = quantile(load.shots, 0.99);
  const turnedAt = performance.now();
  await slow.behave({ delayMs: slowMs });
  await load.lasts(9_500);
  const shots = await load.stop();

  expect(shots.filter(({ result }) => result?.status !== 200)).toEqual([]);
  const from = (ms: number, to: number) =>
    shots.filter(({ startedAt }) => startedAt >= turnedAt + ms && startedAt < turnedAt + to);
  // It did hurt.
  expect(from(0, 1_000).filter(({ ms }) => ms >= slowMs).length).toBeGreaterThan(10);
  const after = from(5_000, 7_500);
  expect(after.length).toBeGreaterThan(200);
  expect(quantile(after, 0.99)).toBeLessThanOrEqual(2 * usual);
  // Which one it is, is there to be read.
  expect(await gateway.shown('breakers', 'api')).toMatchObject({
    level: 'bad',
    why: '1 open',
    state: { notClosed: [{ id: slow.url, state: 'open' }] },
  });
  expect(gateway.log).toContainEqual(
    expect.objectContaining({ event: 'circuit-breaker:opened', breaker: 'api', key: slow.url }),
  );
}, 40_000);
