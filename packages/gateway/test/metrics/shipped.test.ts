import { describe, expect, test } from 'vitest';
import { everyFamily, type Family } from './every-component.ts';
import { fullGateway } from './full-gateway.ts';
import { usesOf } from './promql.ts';
import { dashboard, rules } from './shipped.ts';

const families = new Map((await everyFamily()).map((family) => [family.name, family]));
const records = new Set(rules().flatMap(({ record }) => record ?? []));
/** What Prometheus itself adds to each series. */
const targetLabels = ['job', 'instance'];

/** The metrics of prom-client that a gateway shows if it is asked for them. */
async function processMetrics(): Promise<ReadonlyMap<string, string>> {
  await using gateway = await fullGateway({ metrics: { process: true } });
  const { types } = await gateway.scrape();
  return new Map([...types].filter(([name]) => !name.startsWith('weir_')));
}
const ofTheProcess = await processMetrics();

/** What an expression asks for that nobody tells. */
function strange(expression: string): string[] {
  return usesOf(expression).flatMap(({ metric, matchers, by }) => {
    if (records.has(metric) || metric === 'weir_metrics_components') return [];
    if (ofTheProcess.has(metric)) return [];
    const [name, family] = familyOf(metric);
    if (family === undefined) return [`no metric ${name}`];
    const labels = [...targetLabels, ...family.labels.keys(), ...(metric.endsWith('_bucket') ? ['le'] : [])];
    const unknown = [...by, ...matchers.map(({ label }) => label)].filter((each) => !labels.includes(each));
    const words = matchers.flatMap(({ label, words }) => {
      const values = family.labels.get(label);
      const spoken = words.filter((word) => !word.startsWith('$') && word !== '');
      return values === undefined || targetLabels.includes(label)
        ? []
        : spoken.filter((word) => !values.has(word)).map((word) => `no ${label} ${word} of ${name}`);
    });
    return [...unknown.map((label) => `no label ${label} of ${name}`), ...words];
  });
}

function familyOf(metric: string): [string, Family | undefined] {
  const base = metric.replace(/_(?:bucket|sum|count)$/, '');
  const histogram = families.get(base)?.type === 'histogram';
  return histogram && base !== metric
    ? [base, families.get(base)]
    : [metric, histogram ? undefined : families.get(metric)];
}

describe('the reading of expressions', () => {
  test('finds metrics, matchers and the labels that are kept', () => {
    expect(usesOf('sum by (a, b) (rate(weir_x_total{c="d", e!~"f|g"}[5m])) / max(weir_y) > 0.5')).toEqual([
      {
        metric: 'weir_x_total',
        matchers: [
          { label: 'c', words: ['d'] },
          { label: 'e', words: ['f', 'g'] },
        ],
        by: ['a', 'b'],
      },
      { metric: 'weir_y', matchers: [], by: [] },
    ]);
    expect(usesOf('weir:z:ratio15m < 0.5 * (weir:z:ratio15m offset 1h > 0.2)')).toHaveLength(2);
  });

  test.each([
    ['sum(rate(weir_gateway_request_total[5m]))', 'no metric weir_gateway_request_total'],
    ['weir_gateway_head_seconds', 'no metric weir_gateway_head_seconds'],
    ['weir_load_balancer_up{upstrem="a"}', 'no label upstrem of weir_load_balancer_up'],
    ['sum by (limiter, key) (weir_rate_limit_keys)', 'no label key of weir_rate_limit_keys'],
    ['weir_gateway_requests_total{outcome="failed"}', 'no outcome failed of weir_gateway_requests_total'],
    ['sum by (le) (weir_gateway_requests_total)', 'no label le of weir_gateway_requests_total'],
  ])('%s: %s', (expression, said) => {
    expect(strange(expression)).toEqual([said]);
  });
});

describe('the alert rules', () => {
  test.each(rules())('$alert$record asks for what there is', ({ expr, text }) => {
    expect(usesOf(expr).length).toBeGreaterThan(0);
    expect(strange(expr)).toEqual([]);
    const kept = usesOf(expr).flatMap(({ metric, by }) => (records.has(metric) ? ['cache'] : by));
    for (const [, label] of text.matchAll(/\$labels\.(\w+)/g)) expect(kept).toContain(label);
  });
});

describe('the Grafana dashboard', () => {
  const { panels, templating } = dashboard();
  const shown = panels.filter(({ type }) => type !== 'row');

  test.each(shown)('$title asks for what there is', ({ targets = [] }) => {
    expect(targets.length).toBeGreaterThan(0);
    for (const { expr, legendFormat } of targets) {
      expect(usesOf(expr).length).toBeGreaterThan(0);
      expect(strange(expr)).toEqual([]);
      const kept = usesOf(expr).flatMap(({ metric, by }) => (ofTheProcess.has(metric) ? targetLabels : by));
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(kept).toContain(label);
    }
  });

  test('lets choose among what there is', () => {
    const variables = templating.list.flatMap(({ query }) =>
      typeof query === 'string' ? [] : [query.query],
    );
    expect(variables).toHaveLength(3);
    for (const query of variables) {
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
      expect(strange(selector)).toEqual([]);
      const [use] = usesOf(selector);
      const labels = families.get(use?.metric ?? '')?.labels.keys() ?? [];
      expect([...targetLabels, ...labels]).toContain(label);
    }
  });

  test('each alert is about something that it shows', () => {
    const asked = new Set(
      shown
        .flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => usesOf(expr)))
        .map(({ metric }) => metric),
    );
    const about = rules().flatMap(({ expr }) => usesOf(expr).map(({ metric }) => metric));
    const left = [...new Set(about)].filter((metric) => !asked.has(metric) && !records.has(metric));
    // The count goes with the buckets.
    expect(left).toEqual(['weir_gateway_head_seconds_count']);
  });
});
