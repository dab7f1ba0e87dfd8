import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/**
 * What a browser, workerd, Bun and Deno have in common is the language and the Web's globals. So nothing here, nor in the
 * core that it imports, may name a Node module outright or touch a global of Node's.
 */
const sources = ['..', '../../core'].flatMap((root) =>
  globSync('src/**/*.ts', { cwd: join(import.meta.dirname, root) })
    .filter((file) => !file.includes('testing'))
    .map((file) => join(import.meta.dirname, root, file)),
);
const code = (file: string) =>
  readFileSync(file, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');

test('both packages are looked at', () => {
  expect(sources.filter((file) => file.includes('consistent-hash')).length).toBeGreaterThan(25);
  expect(sources.filter((file) => file.includes('core')).length).toBeGreaterThan(10);
});

test.each(sources.map((file) => [file.split('packages').at(-1), file] as const))(
  '%s runs anywhere',
  (_name, file) => {
    const imports = [...code(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
      (match) => match[1],
    );
    for (const specifier of imports) expect(specifier).toMatch(/^(\.\.?\/|@weir\/core$)/);
    expect(code(file)).not.toMatch(/\b(Buffer|__dirname|require|setImmediate)\b/);
  },
);

test('and its own code does without the process', () => {
  for (const file of sources.filter((each) => each.includes('consistent-hash'))) {
    expect(code(file)).not.toMatch(/\b(process|globalThis|performance|crypto)\b/);
  }
});
