// What a user's bundle grows by: minified, tree-shaken, gzipped, Weir's own dependencies included, against limits.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../..');
const limits = JSON.parse(readFileSync(join(import.meta.dirname, 'size.json'), 'utf8'));
let failed = 0;
for (const [code, limit] of Object.entries(limits)) {
  const { outputFiles } = await build({
    stdin: { contents: built(code), resolveDir: root, loader: 'js' },
    bundle: true,
    minify: true,
    write: false,
    logLevel: 'error',
    format: 'esm',
    platform: 'neutral',
    target: 'es2023',
    external: ['node:*', 'undici', 'prom-client', 'opossum', 'ioredis', 'redis'],
    mainFields: ['module', 'main'],
  });
  const bytes = gzipSync(outputFiles[0].contents).length;
  const over = bytes > limit;
  if (over) failed += 1;
  console.log(
    `${over ? 'OVER ' : 'ok   '} ${String(bytes).padStart(6)} of ${String(limit).padStart(6)} bytes  ${code}`,
  );
}
process.exit(failed === 0 ? 0 : 1);

/** The built entries in place of their names, which only packages that depend on them can resolve. */
function built(code) {
  return code.replace(/'@weir\/([^/']+)(?:\/([^']+))?'/, (_, name, entry = 'index') => {
    return `'${join(root, 'packages', name, 'dist', `${entry}.js`)}'`;
  });
}
