import { beforeAll, expect, test } from 'vitest';
import { until } from '../../../redis/test/servers.ts';
import type { GatewayConfig } from '../../src/index.ts';
import { GatewayProcess } from './support/gateway-process.ts';
import { Load } from './support/load.ts';
import { UpstreamProcess } from './support/upstream-process.ts';

let gateway: GatewayProcess;
let config: (limit: number, further?: object) => GatewayConfig;
beforeAll(async () => {
  const upstream = await UpstreamProcess.start();
  config = (limit, further = {}) => ({
    upstreams: { api: { servers: [upstream.url] } },
    routes: [
      {
        name: 'orders',
        match: { path: '/orders' },
        limit: { limits: { algorithm: 'fixedWindow', limit, per: '365d' }, ...further },
        upstream: 'api',
      },
      { name: 'others', match: {}, upstream: 'api' },
    ],
  });
  gateway = await GatewayProcess.start(config(5));
}, 60_000);

/** How many of so many requests pass. */
const passing = async (requests: number): Promise<number> => {
  const answers = await Promise.all(Array.from({ length: requests }, () => gateway.ask('/orders')));
  return answers.filter(({ status }) => status === 200).length;
};
const audited = async () => {
  const { events } = await gateway.snapshot();
  return {
    log: gateway.log.filter(({ event }) => String(event).startsWith('gateway:')),
    page: events.filter(({ what }) => what.startsWith('gateway:')),
  };
};

test('a limit is changed without a restart: no request fails, and it is on record what was changed', async () => {
  const load = new Load(100, () => gateway.ask('/anything'));
  expect(await passing(12)).toBe(5);
  await until(() => load.shots.length > 10, 'requests before it');
  expect(await gateway.reload(config(8))).toContain('weir: reloaded');
  // A new limit begins anew.
  expect(await passing(12)).toBe(8);
  const reloadedAt = load.shots.length;
  await until(() => load.shots.length > reloadedAt + 30, 'requests after it');
  const shots = await load.stop();
  expect(shots.filter(({ result }) => result?.status !== 200)).toEqual([]);

  const { log, page } = await audited();
  expect(log).toMatchObject([{ event: 'gateway:reloaded', level: 30, changed: 'routes.orders', routes: 2 }]);
  expect(log[0]!.time).toEqual(expect.any(Number));
  expect(page).toMatchObject([{ what: 'gateway:reloaded', details: { changed: 'routes.orders' } }]);
});

test.each([
  ['says something impossible', () => config(9, { per: '1h' }), /routes\[0\]\.limit\.per: is not known/],
  ['has a limit of nothing', () => config(0), /routes\[0\]\.limit\.limits\.limit: .*>0/],
  ['cannot be read', () => '{ "routes": [', /JSON/],
  [
    'counts on a Redis that was not there before',
    () => ({ ...config(9), redis: { url: 'redis://127.0.0.1:1' } }),
    /redis: cannot be changed by a reload/,
  ],
])(
  'a configuration that %s is refused, with the reason on record, and the old one goes on counting',
  async (_, wrong, why) => {
    const before = await audited();
    const said = await gateway.reload(wrong());
    expect(said).toContain('not reloaded, the present configuration stays');
    expect(said).toMatch(why);
    // It was used up, and still is.
    expect(await passing(3)).toBe(0);
    expect((await gateway.ask('/anything')).status).toBe(200);
    const { log, page } = await audited();
    const news = { log: log.slice(before.log.length), page: page.slice(before.page.length) };
    expect(news.log).toMatchObject([
      { event: 'gateway:reload-failed', level: 50, error: expect.stringMatching(why) },
    ]);
    expect(news.page).toMatchObject([
      { what: 'gateway:reload-failed', details: { error: expect.stringMatching(why) } },
    ]);
  },
);

test('after all that the same process still takes a good one', async () => {
  expect(await gateway.reload(config(3))).toContain('weir: reloaded');
  expect(await passing(12)).toBe(3);
  expect((await audited()).log.at(-1)).toMatchObject({ event: 'gateway:reloaded', changed: 'routes.orders' });
});
