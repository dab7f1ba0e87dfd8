import { beforeAll, expect, test } from 'vitest';
import { until } from '../../../redis/test/servers.ts';
import { GatewayProcess } from './support/gateway-process.ts';
import { Load } from './support/load.ts';
import { type Said, UpstreamProcess } from './support/upstream-process.ts';

let upstreams: UpstreamProcess[];
let gateway: GatewayProcess;
beforeAll(async () => {
  upstreams = await UpstreamProcess.several(3, { delayMs: 20 });
  gateway = await GatewayProcess.start({
    upstreams: { api: { servers: upstreams.map(({ url }) => url) } },
    routes: [{ name: 'api', match: {}, upstream: 'api', retry: false }],
  });
}, 60_000);

const serverOf = async ({ url }: UpstreamProcess): Promise<{ state: string; inFlight: number }> => {
  const { state } = await gateway.shown('pool', 'api');
  return state.upstreams.find((each: { url: string }) => each.url === url);
};

test('all upstreams are replaced one after the other at 200 requests a second, without retries, and none fails', async () => {
  const load = new Load(200, () => gateway.ask('/'));
  await load.lasts(500);
  const pids = upstreams.map(({ pid }) => pid);
  for (const upstream of upstreams) {
    expect(await gateway.act('pool', 'api', 'drain', upstream.url)).toBe(204);
    await until(async () => {
      const { state, inFlight } = await serverOf(upstream);
      return state === 'draining' && inFlight === 0;
    }, 'it to be drained');
    const servedWhenDrained = await upstream.requests();
    expect(servedWhenDrained).toBeGreaterThan(0);
    const sent = load.shots.length;
    await until(() => load.shots.length > sent + 50, 'others to serve');
    expect(await upstream.requests()).toBe(servedWhenDrained);
    await upstream.replace();
    expect(await gateway.act('pool', 'api', 'resume', upstream.url)).toBe(204);
    await until(async () => (await upstream.requests()) > 20, 'the new one to serve');
  }
  const shots = await load.stop();
  expect(shots.filter(({ result }) => result?.status !== 200)).toEqual([]);
  expect(shots.length).toBeGreaterThan(300);
  // Each of the six processes has served.
  const served = new Set(shots.map(({ result }) => (JSON.parse(result?.body ?? '{}') as Said).pid));
  expect(served).toEqual(new Set([...pids, ...upstreams.map(({ pid }) => pid)]));
  expect(served.size).toBe(6);
  const told = gateway.log.filter(({ event }) => String(event).startsWith('load-balancer:'));
  expect(told.map(({ event, upstream }) => [String(event).slice(14), upstream])).toEqual(
    upstreams.flatMap(({ url }) => ['draining', 'drained', 'resumed'].map((event) => [event, url])),
  );
}, 60_000);

test('nobody drains without the token of the page, or without signing in', async () => {
  const drain = { kind: 'pool', name: 'api', action: 'drain', argument: upstreams[0]!.url };
  expect(await gateway.post(drain, {})).toBe(403);
  expect(await gateway.post(drain, { 'x-weir-token': 'x'.repeat(32) })).toBe(403);
  expect(await gateway.post(drain, { authorization: 'Basic b3BzOmd1ZXNz' })).toBe(401);
  expect((await serverOf(upstreams[0]!)).state).toBe('up');
});
