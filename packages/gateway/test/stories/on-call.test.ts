import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../../redis/test/servers.ts';
import { type Frame, GatewayProcess, seriesOf } from './support/gateway-process.ts';
import { Load, pause } from './support/load.ts';
import { UpstreamProcess } from './support/upstream-process.ts';

/** One frame of the dashboard. */
const tickMs = 1_000;

let upstreams: UpstreamProcess[];
let gateway: GatewayProcess;
let load: Load<unknown>;
beforeAll(async () => {
  upstreams = await UpstreamProcess.several(3);
  gateway = await GatewayProcess.start({
    upstreams: {
      api: {
        servers: upstreams.map(({ url }) => url),
        strategy: 'roundRobin',
        breaker: { consecutiveFailures: 3, openFor: '5m' },
      },
    },
    routes: [
      {
        name: 'reports',
        match: { path: '/reports' },
        limit: { limits: { algorithm: 'fixedWindow', limit: 20, per: '365d' } },
        upstream: 'api',
      },
      { name: 'api', match: {}, upstream: 'api' },
    ],
  });
}, 60_000);
afterAll(() => load?.stop());

/** The series that the dashboard shows, but those that /metrics tells otherwise. */
const shownSeries = ({ components }: Frame): Map<string, number> =>
  new Map(
    components.flatMap(({ samples }) =>
      samples
        .filter(({ name }) => !/_p(?:50|99)$/.test(name))
        .map(({ name, labels, value }): [string, number] => [seriesOf(name, labels), value]),
    ),
  );

test('who opens the dashboard for the first time, long after, is told what is denying, since when, and which server', async () => {
  load = new Load(60, (i) => gateway.ask(i % 3 === 0 ? '/reports' : '/orders'));
  await until(() => load.shots.length > 90, 'requests to be refused');
  const [, dead] = upstreams as [UpstreamProcess, UpstreamProcess];
  const limitedAt = await firstRefusal();
  const diedAt = Date.now();
  await dead.die();
  // Nobody looks, and it goes on.
  await pause(3 * tickMs);

  const { components, events, at } = await gateway.snapshot();
  const worst = components.filter(({ level }) => level !== 'ok');
  expect(worst.map(({ kind, name, level, why }) => [kind, name, level, why])).toContainEqual([
    'breakers',
    'api',
    'bad',
    '1 open',
  ]);
  const breakers = worst.find(({ kind }) => kind === 'breakers')!;
  expect(breakers.state.notClosed).toMatchObject([{ id: dead.url, state: 'open' }]);
  expect(breakers.since).toBeGreaterThanOrEqual(diedAt);
  expect(breakers.since).toBeLessThan(diedAt + 2 * tickMs);
  const limiter = worst.find(({ kind, name }) => kind === 'limiter' && name === 'reports')!;
  expect([limiter.level, limiter.why]).toEqual(['warn', 'refusing']);
  expect(Math.abs(limiter.since - limitedAt)).toBeLessThan(2 * tickMs);
  expect(at - limiter.since).toBeGreaterThan(3 * tickMs);
  expect(events).toContainEqual(
    expect.objectContaining({
      what: 'circuit-breaker:state',
      details: expect.objectContaining({ breaker: 'api', key: dead.url, to: 'open' }),
    }),
  );
}, 30_000);

test('the page tells the same numbers as /metrics: under load within a tick, at rest to the last one', async () => {
  const look = async () =>
    [await gateway.snapshot(), await gateway.metrics(), await gateway.snapshot()] as const;
  let [before, metrics, after] = await look();
  // On a busy machine three looks may take longer than a tick.
  while (after.at - before.at >= tickMs) [before, metrics, after] = await look();
  const [low, high] = [shownSeries(before), shownSeries(after)];
  const counters = [...low.keys()].filter((series) => /_total\{/.test(series));
  expect(counters.length).toBeGreaterThan(30);
  for (const series of counters) {
    expect(metrics.get(series), series).toBeGreaterThanOrEqual(low.get(series)!);
    expect(metrics.get(series), series).toBeLessThanOrEqual(high.get(series)!);
  }
  const grown = counters.filter((series) => high.get(series)! > low.get(series)!);

  await load.stop();
  // A request has ended when its last byte is out, which the client may see first.
  await until(async () => {
    const series = shownSeries(await gateway.snapshot());
    return [...series].every(([name, value]) => !name.includes('in_flight') || value === 0);
  }, 'all to have ended');
  const shown = shownSeries(await gateway.snapshot());
  const told = await gateway.metrics();
  for (const [series, value] of shown) expect(told.get(series), series).toBe(value);
  expect(shown.size).toBeGreaterThan(60);
  // It was under load.
  expect(grown.length + load.shots.length).toBeGreaterThan(100);
  const refused = seriesOf('weir_rate_limit_decisions_total', { limiter: 'reports', outcome: 'refused' });
  expect(shown.get(refused)).toBe(load.shots.filter(isRefused).length);
}, 30_000);

const isRefused = ({ result }: { readonly result: unknown }): boolean =>
  (result as { status?: number } | undefined)?.status === 429;

/** When a request was first refused, wall clock. */
async function firstRefusal(): Promise<number> {
  const first = load.shots.find(isRefused)!;
  return Date.now() - (performance.now() - first.startedAt);
}
