import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Frame } from '../../../dashboard/src/snapshot.ts';
import { describePrometheus, lint, parseOpenMetrics } from '../../../metrics/test/promtool.ts';
import { everyFamily } from './every-component.ts';
import { identity, parse } from './exposition.ts';
import { type FullGateway, fullGateway } from './full-gateway.ts';

const openMetrics = 'application/openmetrics-text; version=1.0.0';
/** As Prometheus asks. */
const accept = `${openMetrics};q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2`;

let gateway: FullGateway;
beforeAll(async () => {
  gateway = await fullGateway();
  // 20 that are allowed, of which 4 come from the cache, and 2 that are not.
  for (let i = 0; i < 5; i += 1) await gateway.get('/orders/1');
  for (let i = 0; i < 17; i += 1) await gateway.get(`/orders/more?${i}`);
  // 3 without a key, 4 to a server that is dead, of which 2 find its breaker open, and one for which there is no route.
  for (let i = 0; i < 3; i += 1) await gateway.running.ask('/orders/1');
  for (let i = 0; i < 4; i += 1) await gateway.get('/broken');
  await gateway.get('/nowhere');
  await gateway.get('/fixed');
  await gateway.talk();
  // A request has ended when its last byte is out, which a client may know a little earlier.
  await vi.waitFor(async () => expect(await underWay()).toBe(0), { timeout: 10_000 });
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

async function underWay(): Promise<number> {
  const { series } = await gateway.scrape();
  return series.filter(({ name }) => name.endsWith('_in_flight')).reduce((sum, { value }) => sum + value, 0);
}

describe('after a known load', () => {
  test('/metrics tells what has happened', async () => {
    const { series, value } = await gateway.scrape();
    const requests = (route: string, outcome: string) =>
      value('weir_gateway_requests_total', { route, outcome });
    expect(requests('orders', 'ok')).toBe(20);
    expect(requests('orders', 'rejected')).toBe(5);
    expect(requests('broken', 'error')).toBe(4);
    expect(requests('(none)', 'rejected')).toBe(1);
    expect(requests('route-4', 'ok')).toBe(1);
    expect(requests('talk', 'ok')).toBe(1);
    expect(value('weir_gateway_responses_total', { route: 'orders', status: '4xx' })).toBe(5);
    expect(value('weir_gateway_responses_total', { route: 'talk', status: '1xx' })).toBe(1);
    expect(value('weir_gateway_head_seconds_count', { route: 'orders' })).toBe(25);
    expect(value('weir_rate_limit_decisions_total', { limiter: 'orders', outcome: 'allowed' })).toBe(20);
    expect(value('weir_rate_limit_decisions_total', { limiter: 'orders', outcome: 'refused' })).toBe(2);
    expect(value('weir_cache_http_requests_total', { cache: 'orders', result: 'hit' })).toBe(4);
    expect(value('weir_cache_http_requests_total', { cache: 'orders', result: 'miss' })).toBe(16);
    expect(value('weir_proxy_requests_total', { proxy: 'orders', result: 'answered' })).toBe(16);
    expect(value('weir_proxy_requests_total', { proxy: 'talk (upgrade)', result: 'answered' })).toBe(1);
    expect(value('weir_circuit_breaker_keys', { breaker: 'gone', state: 'open' })).toBe(1);
    // Nobody is blamed for a tunnel that ends; which side was first to close is a matter of microseconds.
    const told = series.filter(
      ({ name, labels }) => name === 'weir_load_balancer_requests_total' && labels.pool === 'api',
    );
    const blameless = told.filter(({ labels }) => labels.outcome !== 'failure');
    expect(blameless.reduce((sum, each) => sum + each.value, 0)).toBe(17);
    expect(told.reduce((sum, each) => sum + each.value, 0)).toBe(17);
  });

  test('/metrics tells nothing twice, and nothing that is not listed', async () => {
    const { series, types, help } = await gateway.scrape();
    const identities = series.map(identity);
    expect(identities.filter((each, i) => identities.indexOf(each) !== i)).toEqual([]);
    const families = new Map((await everyFamily()).map((family) => [family.name, family]));
    for (const [name, type] of types) {
      if (name === 'weir_metrics_components') continue;
      expect([name, type, help.get(name)]).toEqual([
        name,
        families.get(name)?.type,
        families.get(name)?.help,
      ]);
    }
  });

  test('the dashboard shows the same numbers, all of them', async () => {
    const headers = { host: `localhost:${gateway.running.port}` };
    const [metrics, snapshot] = await Promise.all([
      gateway.scrape(),
      gateway.running.ask('/_weir/snapshot', { headers }),
    ]);
    const frame = JSON.parse(snapshot.body) as Frame;
    const shown = frame.components.flatMap(({ samples }) => samples);
    // Quantiles are the page's own reading of the buckets, which it does not show.
    const common = shown.filter(({ name }) => !/_p(?:50|99)$/.test(name));
    const scraped = metrics.series.filter(
      ({ name }) => !name.endsWith('_bucket') && name !== 'weir_metrics_components',
    );
    const numbers = (all: readonly { name: string; labels: Record<string, string>; value: number }[]) =>
      all.map((each) => `${identity(each)} ${each.value}`).sort();
    expect(numbers(common)).toEqual(numbers(scraped));
    expect(metrics.value('weir_metrics_components')).toBe(frame.components.length);
    expect(scraped.length).toBeGreaterThan(100);
  });

  test('both formats tell the same numbers', async () => {
    const text = await gateway.scrape();
    const answer = await gateway.running.ask('/metrics', { headers: { accept } });
    expect(answer.headers['content-type']).toBe(`${openMetrics}; charset=utf-8`);
    expect(answer.body.endsWith('\n# EOF\n')).toBe(true);
    const open = parse(answer.body);
    expect(open.series.map((each) => `${identity(each)} ${each.value}`)).toEqual(
      text.series.map((each) => `${identity(each)} ${each.value}`),
    );
    for (const [name, type] of open.types) {
      expect(text.types.get(type === 'counter' ? `${name}_total` : name), name).toBe(type);
    }
    // Asking for one leaves the other as it was.
    expect((await gateway.scrape()).types).toEqual(text.types);
  });
});

describePrometheus('Prometheus', () => {
  test('finds nothing wrong with the text', async () => {
    expect(lint((await gateway.running.ask('/metrics')).body)).toBe('');
    expect(lint('# HELP weir_a_ms A.\n# TYPE weir_a_ms counter\nweir_a_ms 1\n')).toMatch(/_total/);
  });

  test('reads the OpenMetrics', async () => {
    const { body } = await gateway.running.ask('/metrics', { headers: { accept } });
    expect(parseOpenMetrics(body)).toBe('');
    expect(parseOpenMetrics(body.replace('# EOF\n', ''))).toMatch(/EOF/);
    expect(parseOpenMetrics(body.replace(/^weir_.*$/m, 'weir a'))).toMatch(/invalid|expected/);
  });
});

describe('the metrics of the process', () => {
  test('are shown if they are asked for, and go on through a reload', async () => {
    expect((await gateway.scrape()).value('process_cpu_seconds_total')).toBeUndefined();
    await using full = await fullGateway({ metrics: { path: '/numbers', process: true } });
    const seconds = async (): Promise<number> =>
      parse((await full.running.ask('/numbers')).body).value('process_cpu_seconds_total') ?? 0;
    const before = await seconds();
    expect(before).toBeGreaterThan(0);
    full.running.gateway.reload({ ...full.config, drain: '2s' });
    expect(await seconds()).toBeGreaterThanOrEqual(before);
  });
});
