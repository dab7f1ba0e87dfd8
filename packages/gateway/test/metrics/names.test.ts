import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { everyComponent, everyFamily, type Family } from './every-component.ts';

const packages = join(import.meta.dirname, '../../..');
const families = await everyFamily();

/** Labels that hold a name which a user gave to something; all others have a few values of ours. */
const given = new Set([
  ...['bounded_load', 'breaker', 'budget', 'bulkhead', 'cache', 'client', 'discovery', 'limit', 'limiter'],
  ...['migration', 'policy', 'pool', 'proxy', 'replica_set', 'route', 'throttle', 'topology', 'upstream'],
  // An error type of RFC 9209: some thirty.
  'error',
]);

/** Told by none of the components, but by who collects them. */
const own: Family = {
  name: 'weir_metrics_components',
  type: 'gauge',
  help: 'Components shown.',
  labels: new Map(),
  packages: new Set(['metrics']),
};
const byName = (a: Family, b: Family): number => (a.name < b.name ? -1 : 1);
const labelOf = ([label, values]: [string, ReadonlySet<string>]): string =>
  `\`${label}\`${given.has(label) ? '' : ` (${[...values].join(', ')})`}`;
const rowOf = ({ name, type, labels, help }: Family): string =>
  `| \`${name}\` | ${type} | ${[...labels].map(labelOf).join(', ')} | ${help} |`;

describe('the metrics', () => {
  test('are those of every file that tells samples', () => {
    const telling = globSync('*/src/**/*.ts', { cwd: packages }).filter(
      (file) =>
        !file.startsWith('core/') &&
        /^ +metrics(?:\(\).*\{|: \()/m.test(readFileSync(join(packages, file), 'utf8')),
    );
    expect(telling.sort()).toEqual(Object.keys(everyComponent).sort());
  });

  test('are those that the README lists, with their types, labels and help', () => {
    const readme = readFileSync(join(packages, 'metrics/README.md'), 'utf8');
    const listed = readme.split('\n').filter((line) => line.startsWith('| `weir_'));
    expect(listed).toEqual([...families, own].sort(byName).map(rowOf));
  });

  test.each(families)('$name keeps to the rules for names', ({ name, type, help, labels, packages }) => {
    const prefixes = [...packages].map((each) => `weir_${each.replaceAll('-', '_')}_`);
    expect(prefixes.filter((prefix) => !name.startsWith(prefix))).toEqual([]);
    expect(name).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    // Base units only, and always the whole word. What has no unit is a number of things, or 0 and 1.
    expect(name).not.toMatch(
      /_(?:ms|s|us|ns|millis\w*|micros\w*|minutes?|hours?|kb|mb|percent|count|sum|bucket)(?:_|$)/,
    );
    if (type === 'histogram') expect(name).toMatch(/_(?:seconds|bytes)$/);
    expect(help).toMatch(/^[A-Z\d].*[^.]\.$/);
    for (const label of labels.keys()) expect(label).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
  });

  test('have few series: labels are names that were given, or one of a few words', () => {
    for (const { name, labels } of families) {
      expect(
        [...labels.keys()].filter((label) => /key|user|path|url|ip|id$/.test(label)),
        name,
      ).toEqual([]);
      for (const [label, values] of labels) if (!given.has(label)) expect(values.size, name).toBeLessThan(10);
    }
  });
});
