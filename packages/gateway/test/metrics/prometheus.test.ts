import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Prometheus } from '../../../metrics/test/prometheus.ts';
import { describePrometheus } from '../../../metrics/test/promtool.ts';
import { type FullGateway, fullGateway } from './full-gateway.ts';
import { dashboard, rulesFile } from './shipped.ts';

/** As Grafana fills in what the dashboard leaves open. */
const filledIn = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '1m').replace(/\$(?:job|route|pool)/g, '.*');

/** What this gateway has not: limits and purges over Redis. */
const absent = ['Commands', 'Invalidations of other processes are heard'];
const panels = dashboard().panels.filter(({ type, title }) => type !== 'row' && !absent.includes(title));

describePrometheus('a Prometheus that scrapes a gateway', () => {
  let gateway: FullGateway;
  let prometheus: Prometheus;
  beforeAll(async () => {
    gateway = await fullGateway({ metrics: { process: true } });
    // Once, so that there is something to begin with: a rate needs a before.
    await load();
    prometheus = await Prometheus.start(`127.0.0.1:${gateway.running.port}`, rulesFile);
    const scrapes = async (count: number): Promise<void> => {
      const [sample] = await prometheus.query('count_over_time(weir_metrics_components[1m])');
      expect(Number(sample?.value[1] ?? 0)).toBeGreaterThanOrEqual(count);
    };
    await vi.waitFor(() => scrapes(2), { timeout: 15_000, interval: 50 });
    await load();
    await vi.waitFor(() => scrapes(4), { timeout: 15_000, interval: 50 });
  }, 60_000);
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
  });

  async function load(): Promise<void> {
    for (let i = 0; i < 40; i += 1) await gateway.get(`/orders/${i % 30}`);
    for (let i = 0; i < 8; i += 1) await gateway.get('/broken');
    await gateway.talk();
  }

  test.each(panels)('has something to show for "$title"', async ({ targets = [] }) => {
    const seen = await Promise.all(targets.map(({ expr }) => prometheus.query(filledIn(expr))));
    expect(seen.flat().length).toBeGreaterThan(0);
  });

  test('shows the numbers of the gateway', async () => {
    const scrape = await gateway.scrape();
    const [sample] = await prometheus.query('weir_rate_limit_decisions_total{outcome="refused"}');
    expect(sample?.metric).toMatchObject({ job: 'gateway', limiter: 'orders' });
    const refused = { limiter: 'orders', outcome: 'refused' };
    expect(Number(sample?.value[1])).toBe(scrape.value('weir_rate_limit_decisions_total', refused));
    expect(Number(sample?.value[1])).toBeGreaterThan(0);
  });

  test('has the alerts that this gateway deserves, and no others', async () => {
    const due = [
      'WeirBreakerOpen gone',
      'WeirLimiterRefusing orders',
      'WeirPoolEmpty gone',
      'WeirRequestsFailing broken',
    ];
    const alerts = async (): Promise<string[]> =>
      (await prometheus.alerts()).map(
        ({ alertname, breaker, limiter, pool, route }) =>
          `${alertname} ${breaker ?? limiter ?? pool ?? route}`,
      );
    await vi.waitFor(async () => expect((await alerts()).sort()).toEqual(due), 10_000);
  });
});
