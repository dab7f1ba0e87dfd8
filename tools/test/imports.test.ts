import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { table, violations } from '../imports.ts';

const root = join(import.meta.dirname, '../..');

describe('who may import whom', () => {
  test('is kept by every package', () => {
    expect(violations(root)).toEqual([]);
  });

  test('is kept by every package.json', () => {
    for (const [name, { weir, entries = {} }] of Object.entries(table)) {
      let text: string;
      try {
        text = readFileSync(join(root, 'packages', name, 'package.json'), 'utf8');
      } catch {
        continue; // Not built yet.
      }
      const { dependencies = {}, peerDependencies = {} } = JSON.parse(text);
      const house = Object.keys({ ...dependencies, ...peerDependencies }).filter((each) =>
        each.startsWith('@weir/'),
      );
      const allowed = [...weir, ...Object.values(entries).flat()].map((each) => `@weir/${each}`);
      expect(house.filter((each) => !allowed.includes(each))).toEqual([]);
    }
  });

  const planted = mkdtempSync(join(tmpdir(), 'weir-imports-'));
  afterEach(() => rmSync(planted, { recursive: true, force: true }));

  test.each([
    ['rate-limit/src/a.ts', "import { run } from '@weir/http/node';", 1],
    ['rate-limit/src/a.ts', "import {\n  type A,\n  b,\n} from '@weir/cache';", 1],
    ['rate-limit/src/a.ts', "export { a } from '@weir/redis';", 1],
    ['rate-limit/src/redis.ts', "import { a } from '@weir/redis';", 0],
    ['rate-limit/src/redis/scripts.ts', "import { a } from '@weir/redis';", 0],
    ['core/src/a.ts', "await import('@weir/metrics')", 1],
    ['core/src/a.ts', "import '@weir/metrics';", 1],
    ['cache/src/a.ts', "import type { Context } from 'hono';", 1],
    ['http/src/a.ts', "import { Hono } from 'hono';", 1],
    ['http/src/a.ts', "import type { Context } from 'hono';", 0],
    ['core/src/a.ts', "// import { a } from '@weir/http';\n/* import '@weir/http' */", 0],
    ['extra/src/a.ts', 'export const a = 1;', 1],
  ])('planted in packages/%s: %s', (file, code, expected) => {
    const path = join(planted, 'packages', file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
    expect(violations(planted)).toHaveLength(expected);
  });
});
