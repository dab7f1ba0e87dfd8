import { existsSync, readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Packages resolve each other to their sources, so tests never run against a stale build. */
const conditions = ['@weir/source', 'module', 'node', 'development|production'];

const project = (name: string, root: string) => ({
  extends: true as const,
  test: { name, root, include: ['test/**/*.test.ts'] },
});
const withTests = (folder: string) =>
  readdirSync(folder).filter((name) => existsSync(`${folder}/${name}/test`));

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    testTimeout: 20_000,
    reporters: ['default', './tools/vitest-reporter.ts'],
    projects: [
      ...withTests('packages').map((name) => project(name, `packages/${name}`)),
      ...withTests('examples').map((name) => project(`example-${name}`, `examples/${name}`)),
      project('house', 'tools'),
    ],
    coverage: {
      provider: 'v8',
      // Matched against paths below each project's own folder.
      include: ['**/src/**/*.ts'],
      exclude: ['**/src/index.ts', 'examples/**'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: { lines: 90, branches: 85 },
    },
  },
});
