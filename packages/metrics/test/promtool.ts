import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';

const missing = ['promtool', 'prometheus'].some((tool) => spawnSync(tool, ['--version']).status !== 0);
const hint = 'promtool and prometheus are not on the PATH: `apt-get install prometheus`';

/** A suite that needs Prometheus: skipped with a word of advice where there is none, but a failure on CI. */
export function describePrometheus(name: string, suite: () => void): void {
  if (!missing) describe(name, suite);
  else if (process.env.CI === 'true') {
    test(name, () => {
      throw new Error(hint);
    });
  } else describe.skip(`${name} (${hint})`, suite);
}

/** What promtool finds wrong with a scrape in the text format; empty if nothing. */
export function lint(scrape: string): string {
  const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
    input: scrape,
    encoding: 'utf8',
  });
  return `${stdout}${stderr}${status === 0 || status === 3 ? '' : `status ${status}`}`.trim();
}

/**
 * What Prometheus' own parser finds wrong with OpenMetrics; empty if nothing. It reads them when a database is filled from
 * a file; there each sample needs a time.
 */
export function parseOpenMetrics(scrape: string): string {
  const timed = scrape.replace(/^([^#\n].*)$/gm, '$1 1700000000');
  return inFolder((folder) => {
    const file = join(folder, 'metrics.txt');
    writeFileSync(file, timed);
    return run('tsdb', 'create-blocks-from', 'openmetrics', file, join(folder, 'blocks'));
  });
}

/** @returns what it says about the files, and whether it found them good */
export function promtool(...args: string[]): { readonly good: boolean; readonly said: string } {
  const { stdout, stderr, status } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { good: status === 0, said: `${stdout}${stderr}` };
}

function run(...args: string[]): string {
  const { good, said } = promtool(...args);
  return good ? '' : said;
}

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'weir-promtool-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
