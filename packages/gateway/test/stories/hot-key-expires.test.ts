import { beforeAll, expect, test } from 'vitest';
import { until } from '../../../redis/test/servers.ts';
import { GatewayProcess } from './support/gateway-process.ts';
import { Load, type Shot, slowest } from './support/load.ts';
import { type Said, UpstreamProcess } from './support/upstream-process.ts';

/** How long an answer is fresh, and how long it may be served after that while it is renewed, seconds. */
const lifetime = (ttl: number, grace: number) => ({
  'cache-control': `max-age=${ttl}, stale-while-revalidate=${grace}`,
});

let origin: UpstreamProcess;
let gateway: GatewayProcess;
beforeAll(async () => {
  origin = await UpstreamProcess.start();
  gateway = await GatewayProcess.start({
    upstreams: { api: { servers: [origin.url] } },
    routes: [
      { name: 'at-once', match: { path: '/at-once' }, respond: { status: 200 } },
      { name: 'pages', match: {}, cache: {}, upstream: 'api' },
    ],
  });
}, 60_000);

interface Served extends Said {
  /** By the response's own word, in whole seconds; 0 of what came straight from the origin. */
  readonly age: number;
}

const get = async (path: string): Promise<Served> => {
  const { status, headers, body } = await gateway.ask(path);
  expect(status).toBe(200);
  return { ...(JSON.parse(body) as Said), age: Number(headers.age ?? 0) };
};
/** What a request takes at the most, whatever it is for: tells a busy machine from a gateway that waits. */
const atOnce = () => new Load(100, () => gateway.ask('/at-once'));
const oldest = (shots: readonly Shot<Served>[]): number =>
  Math.max(...shots.map(({ result }) => result?.age ?? Number.NaN));

test('a hot key that expires under load costs one call of the origin, and nobody waits for it', async () => {
  const [ttl, grace, slowMs] = [2, 2, 800];
  await origin.behave({ headers: lifetime(ttl, grace) });
  expect((await get('/hot')).count).toBe(1);
  await origin.behave({ headers: lifetime(ttl, grace), delayMs: slowMs });
  const [load, others] = [new Load(200, () => get('/hot')), atOnce()];
  await until(() => load.shots.some(({ result }) => result?.count === 2), 'what was renewed');
  const shots = await load.stop();
  const usual = slowest(await others.stop());

  expect(await origin.requests('/hot')).toBe(2);
  expect(shots.filter(({ error }) => error !== undefined)).toEqual([]);
  // What was stale went out all the while, at once.
  const stale = shots.filter(({ result }) => result?.count === 1 && result.age >= ttl);
  expect(stale.length).toBeGreaterThan(80);
  expect(slowest(shots)).toBeLessThan(usual + slowMs - 200);
  expect(oldest(shots)).toBeLessThanOrEqual(ttl + grace);
}, 30_000);

test('an origin that hangs is asked once, and what it said before is served for no longer than TTL and grace', async () => {
  const [ttl, grace, hangsMs] = [4, 1, 3_000];
  await origin.behave({ headers: lifetime(ttl, grace) });
  const first = await get('/hung');
  expect(first.count).toBe(1);
  await origin.behave({ headers: lifetime(ttl, grace), delayMs: hangsMs });
  const load = new Load(100, async () => ({ ...(await get('/hung')), ended: Date.now() }));
  const others = atOnce();
  await until(() => load.shots.some(({ result }) => result?.count === 2), 'the origin');
  const shots = await load.stop();
  const usual = slowest(await others.stop());

  expect(await origin.requests('/hung')).toBe(2);
  expect(shots.filter(({ error }) => error !== undefined)).toEqual([]);
  expect(oldest(shots)).toBeLessThanOrEqual(ttl + grace);
  // By the clock on the wall too, but for the way.
  const old = shots.filter(({ result }) => result?.count === 1);
  const age = Math.max(...old.map(({ result }) => (result?.ended ?? 0) - first.at));
  expect(age).toBeLessThan(1000 * (ttl + grace) + usual + 200);
  expect(old.filter(({ result }) => result?.age === ttl).length).toBeGreaterThan(10);
  // Those that came later waited for the one call that was under way.
  const waited = shots.filter(({ result, ms }) => result?.count === 2 && ms > 500);
  expect(waited.length).toBeGreaterThan(50);
}, 30_000);
