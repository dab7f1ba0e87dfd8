import type { Component, Policy, Reply, Sample } from '@weir/core';
import { fakeExchange } from '@weir/core/testing';
import { Counter, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { collect, metricsEndpoint } from '../src/index.ts';

const counter = (value: number, labels = {}): Sample => ({
  name: 'weir_test_events_total',
  help: 'Events.',
  type: 'counter',
  labels,
  value,
});

/** A component that shows these samples, and counts how often it was asked. */
function component(samples: () => readonly Sample[]): Component & { asked: number } {
  return {
    kind: 'test',
    name: 'test-1',
    asked: 0,
    snapshot: () => ({}),
    metrics() {
      this.asked += 1;
      return samples();
    },
  };
}

test('shows the counters as they stand at the scrape', async () => {
  let events = 1;
  const register = collect([component(() => [counter(events, { a: 'x' })])]);
  expect(await register.metrics()).toContain(
    '# HELP weir_test_events_total Events.\n# TYPE weir_test_events_total counter\nweir_test_events_total{a="x"} 1',
  );
  events = 5;
  expect(await register.metrics()).toContain('weir_test_events_total{a="x"} 5');
});

test('asks each component once a scrape, and gathers equal names in one family', async () => {
  const gauge: Sample = { name: 'weir_test_size', help: 'Size.', type: 'gauge', labels: {}, value: 3 };
  const one = component(() => [counter(1, { of: 'one' }), gauge]);
  const two = component(() => [counter(2, { of: 'two' })]);
  const register = collect([one, two]);
  one.asked = 0;
  const text = await register.metrics();
  expect(one.asked).toBe(1);
  expect(text.match(/# TYPE weir_test_events_total/g)).toHaveLength(1);
  expect(text).toContain('weir_test_events_total{of="one"} 1\nweir_test_events_total{of="two"} 2');
  expect(text).toContain('weir_test_size 3');
});

test('a function is asked at each scrape: what it lists no more is gone', async () => {
  let list = [component(() => [counter(1, { of: 'one' })])];
  const register = collect(() => list);
  expect(await register.metrics()).toContain('{of="one"} 1');
  list = [component(() => [counter(2, { of: 'two' })])];
  const text = await register.metrics();
  expect(text).toContain('{of="two"} 2');
  expect(text).not.toContain('{of="one"}');
});

test('a family that comes up later is shown', async () => {
  let samples: readonly Sample[] = [];
  const register = collect([component(() => samples)]);
  samples = [counter(7)];
  await register.metrics();
  expect(await register.metrics()).toContain('weir_test_events_total 7');
});

test('shows histograms cumulatively, with sum and count', async () => {
  const histogram: Sample = {
    name: 'weir_test_load_seconds',
    help: 'Loads.',
    type: 'histogram',
    labels: { cache: 'a' },
    bounds: [0.1, 1],
    counts: [2, 1, 4],
    sum: 12.5,
  };
  const text = await collect([component(() => [histogram])]).metrics();
  expect(text).toContain('weir_test_load_seconds_bucket{le="0.1",cache="a"} 2');
  expect(text).toContain('weir_test_load_seconds_bucket{le="1",cache="a"} 3');
  expect(text).toContain('weir_test_load_seconds_bucket{le="+Inf",cache="a"} 7');
  expect(text).toContain('weir_test_load_seconds_sum{cache="a"} 12.5');
  expect(text).toContain('weir_test_load_seconds_count{cache="a"} 7');
});

test('speaks OpenMetrics, with one `_total`', async () => {
  const register = new Registry();
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  collect([component(() => [counter(1)])], { register });
  const text = await register.metrics();
  expect(text).toContain('# TYPE weir_test_events counter\nweir_test_events_total 1');
  expect(text.trimEnd().endsWith('# EOF')).toBe(true);
});

test('stands beside an application’s own metrics, and may be called again', async () => {
  const register = new Registry();
  new Counter({ name: 'app_orders_total', help: 'Orders.', registers: [register] }).inc(3);
  collect([component(() => [counter(1, { of: 'one' })])], { register });
  collect([component(() => [counter(2, { of: 'two' })])], { register });
  const text = await register.metrics();
  expect(text).toContain('app_orders_total 3');
  expect(text).toContain('{of="one"} 1');
  expect(text).toContain('{of="two"} 2');
  expect(text).toContain('weir_metrics_components 2');
});

test('refuses an unknown option', () => {
  expect(() => collect([], { registry: new Registry() } as never)).toThrow(
    expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option: 'registry' }),
  );
});

test('the endpoint answers GET and HEAD, and nothing else', async () => {
  const policy: Policy = metricsEndpoint(collect([]));
  expect(await policy.enter(fakeExchange())).toMatchObject({ status: 200, kind: 'ok' });
  const refused = (await policy.enter(fakeExchange({ method: 'POST' }))) as Reply;
  expect(refused).toMatchObject({ status: 405 });
  expect(refused.headers).toContain('allow');
});
