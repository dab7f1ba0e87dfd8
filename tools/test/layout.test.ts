import { execFileSync } from 'node:child_process';
import { existsSync, globSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const json = (file: string) => JSON.parse(read(file));
const packages = readdirSync(join(root, 'packages'));

describe.each(packages)('packages/%s', (name) => {
  const manifest = json(`packages/${name}/package.json`);

  test('has a README, a licence and a source for each export', () => {
    for (const file of ['README.md', 'LICENSE', 'tsconfig.json', 'tsup.config.ts']) {
      expect(existsSync(join(root, 'packages', name, file)), file).toBe(true);
    }
    for (const [subpath, target] of Object.entries<string | Record<string, string>>(manifest.exports)) {
      if (typeof target === 'string') continue;
      expect(existsSync(join(root, 'packages', name, target['@weir/source'] as string)), subpath).toBe(true);
    }
  });

  test('moves in lock-step with the others and asks for a Node it was tried on', () => {
    expect(manifest.version).toBe(json('packages/core/package.json').version);
    expect(manifest.engines.node).toMatch(/^>=22\.(12|19)\.0$/);
    expect(manifest.type).toBe('module');
  });

  test('is built and checked with the rest', () => {
    const references = json('tsconfig.json').references.map(({ path }: { path: string }) => path);
    expect(references).toContain(`packages/${name}`);
  });
});

test('versions are pinned exactly, and lockfiles name no registry', () => {
  const catalog = read('pnpm-workspace.yaml').split('\ncatalog:\n')[1]?.split('\n\n')[0] ?? '';
  for (const line of catalog.trim().split('\n')) expect(line).toMatch(/: (npm:\S+@)?\d+\.\d+\.\d+$/);
  for (const file of ['pnpm-lock.yaml', ...globSync('tools/*/package-lock.json', { cwd: root })]) {
    expect(read(file), file).not.toMatch(/https?:\/\/[^\s'"]*\.tgz|"resolved"|tarball:/);
  }
});

test('changesets finds its configuration through a link', () => {
  expect(lstatSync(join(root, '.changeset/config.json')).isSymbolicLink()).toBe(true);
  expect(readlinkSync(join(root, '.changeset/config.json'))).toBe('../changeset.config.json');
});

test('the runner knows its tasks, and says so of an unknown one', () => {
  expect(() =>
    execFileSync(process.execPath, ['tools/run.mjs', 'tset'], { cwd: root, stdio: 'pipe', encoding: 'utf8' }),
  ).toThrow(/unknown task "tset"\. Tasks: install, build, start, test/);
});
