import type { Component, Reply, Sample } from '@weir/core';
import { fakeExchange } from '@weir/core/testing';
import { Counter, Histogram, Registry, type RegistryContentType } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { collect, metricsEndpoint } from '../src/index.ts';

const text = 'text/plain; version=0.0.4; charset=utf-8';
const open = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const events: Sample = {
  name: 'weir_test_events_total',
  help: 'Events.',
  type: 'counter',
  labels: { a: 'x' },
  value: 3,
};
const component: Component = { kind: 'test', name: 'a', snapshot: () => ({}), metrics: () => [events] };

/** @returns the type that a scrape with this `Accept` is answered with, and the answer */
async function scrape(register: Registry<RegistryContentType>, accept?: string): Promise<[string, string]> {
  const headers = accept === undefined ? {} : { accept };
  const reply = (await metricsEndpoint(register).enter(fakeExchange({ headers }))) as Reply;
  const type = reply.headers?.[reply.headers.indexOf('content-type') + 1] as string;
  return [type, reply.body as string];
}

describe('the format', () => {
  test.each([
    [undefined, text],
    ['*/*', text],
    ['text/plain', text],
    ['text/html', text],
    ['', text],
    ['application/openmetrics-text', open],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', open],
    ['APPLICATION/OpenMetrics-Text;version="1.0.0"', open],
    ['application/openmetrics-text;version=2.0.0', text],
    ['application/*', open],
    // Prometheus 2.42, and 3.
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      open,
    ],
    [
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      open,
    ],
    ['application/openmetrics-text;q=0.2,text/plain;q=0.5', text],
    ['application/openmetrics-text;q=0,*/*', text],
    ['application/openmetrics-text;q=0.5,text/plain;q=0.5', text],
    ['application/openmetrics-text;q=2', text],
    // What is named exactly counts for it, and not what else would fit.
    ['*/*;q=0.9,application/openmetrics-text;q=0.1', text],
    ['text/*;q=0.1,*/*;q=0.5', open],
  ])('for `Accept: %s` is %s', async (accept, expected) => {
    const [type, body] = await scrape(collect([component]), accept);
    expect(type).toBe(expected);
    expect(body.endsWith('# EOF\n')).toBe(expected === open);
    expect(body).toContain('\nweir_test_events_total{a="x"} 3');
  });

  test('names a counter without `_total` in OpenMetrics alone, also after having spoken the other one', async () => {
    const register = collect([component]);
    new Counter({ name: 'app_orders_total', help: 'Orders.', registers: [register] }).inc(2);
    for (let i = 0; i < 2; i += 1) {
      const [, plain] = await scrape(register);
      expect(plain).toContain('# TYPE weir_test_events_total counter\n');
      expect(plain).toContain('# TYPE app_orders_total counter\napp_orders_total 2\n');
      const [, metrics] = await scrape(register, open);
      expect(metrics).toContain('# TYPE weir_test_events counter\nweir_test_events_total{a="x"} 3\n');
      expect(metrics).toContain('# TYPE app_orders counter\napp_orders_total 2\n');
    }
  });

  test('is the registry’s own unless another one is asked for', async () => {
    const register: Registry<RegistryContentType> = collect([component]);
    register.setContentType(open);
    expect((await scrape(register))[0]).toBe(open);
    expect((await scrape(register, '*/*'))[0]).toBe(open);
    const [type, body] = await scrape(register, 'text/plain');
    expect(type).toBe(text);
    expect(body).toContain('# TYPE weir_test_events_total counter\n');
    expect(body).not.toContain('# EOF');
  });

  test('keeps the labels and exemplars of an application’s own metrics', async () => {
    const register: Registry<RegistryContentType> = collect([component]);
    register.setDefaultLabels({ zone: 'b' });
    register.setContentType(open);
    const histogram = new Histogram({
      name: 'app_seconds',
      help: 'Seconds.',
      buckets: [1],
      enableExemplars: true,
      registers: [register],
    } as never);
    register.setContentType(text);
    histogram.observe({ value: 0.5, exemplarLabels: { trace_id: 'abc' } } as never);
    const [, metrics] = await scrape(register, open);
    expect(metrics).toMatch(/^app_seconds_bucket\{le="1",zone="b"\} 1 # \{trace_id="abc"\} 0\.5 /m);
    expect(metrics).toContain('weir_test_events_total{a="x",zone="b"} 3');
  });

  test('is told, and that it depends on what is asked for', async () => {
    const reply = (await metricsEndpoint(collect([])).enter(fakeExchange())) as Reply;
    expect(reply.headers).toEqual(['content-type', text, 'cache-control', 'no-store', 'vary', 'accept']);
  });
});

describe('the metrics of the process', () => {
  const cpu = /^process_cpu_seconds_total [\d.e-]+$/m;

  test('are not shown unless they are asked for', async () => {
    expect((await scrape(collect([component])))[1]).not.toMatch(/process_|nodejs_/);
    const [, body] = await scrape(collect([component], { process: true }));
    expect(body).toMatch(cpu);
    expect(body).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  });

  test('may be shown in several registries, and asked for twice', async () => {
    const register = collect([], { process: true });
    collect([component], { register, process: true });
    expect((await scrape(register))[1].match(/^process_cpu_seconds_total /gm)).toHaveLength(1);
    expect((await scrape(collect([], { process: true })))[1]).toMatch(cpu);
  });

  test('leave those alone that a registry has already', async () => {
    const register = new Registry();
    new Counter({ name: 'process_cpu_seconds_total', help: 'Mine.', registers: [register] }).inc(7);
    const [, body] = await scrape(collect([], { register, process: true }));
    expect(body).toContain('# HELP process_cpu_seconds_total Mine.\n');
    expect(body).toMatch(/^process_resident_memory_bytes /m);
  });

  test('are asked for with true or false', () => {
    expect(() => collect([], { process: 'yes' as never })).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option: 'process' }),
    );
  });
});
