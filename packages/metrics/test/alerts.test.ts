import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describePrometheus, promtool } from './promtool.ts';

const rules = join(import.meta.dirname, '../prometheus/weir.rules.yml');
const cases = join(import.meta.dirname, 'weir.rules.test.yml');
const matches = (file: string, pattern: RegExp): string[] =>
  [...readFileSync(file, 'utf8').matchAll(pattern)].map(([, found]) => found as string);

const alerts = matches(rules, /- alert: (\w+)/g);

describePrometheus('the alert rules', () => {
  test('are rules to Prometheus', () => {
    expect(promtool('check', 'rules', rules)).toEqual({ good: true, said: expect.stringMatching(/SUCCESS/) });
  });

  test('fire when they should, and only then', () => {
    expect(promtool('test', 'rules', cases)).toEqual({ good: true, said: expect.stringMatching(/SUCCESS/) });
  });
});

describe('each alert', () => {
  test('has a case', () => {
    expect(matches(cases, /- name: (\w+)/g).sort()).toEqual(alerts.toSorted());
  });

  test('says how urgent it is, what has happened, and what that means', () => {
    const text = readFileSync(rules, 'utf8');
    for (const alert of text.split('- alert: ').slice(1)) {
      expect(alert).toMatch(/severity: (?:page|warn) }/);
      expect(alert).toMatch(/summary: .*\.["']?\n/);
      expect(alert).toMatch(/description: .*\.["']?\n/);
    }
  });

  test('is listed in the README with its severity', () => {
    const readme = join(import.meta.dirname, '../README.md');
    const listed = [...readFileSync(readme, 'utf8').matchAll(/^\| `(Weir\w+)` \| (page|warn) \|/gm)];
    const told = [...readFileSync(rules, 'utf8').matchAll(/- alert: (\w+)[\s\S]*?severity: (\w+)/g)];
    const pairs = (found: RegExpExecArray[]): string[] => found.map(([, ...pair]) => pair.join(' ')).sort();
    expect(pairs(listed)).toEqual(pairs(told));
  });
});
