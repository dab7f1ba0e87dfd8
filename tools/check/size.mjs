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
    stdin: { contents: code, resolveDir: join(root, 'examples/gateway'), loader: 'js' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2023',
    external: ['node:*', 'undici', 'prom-client', 'opossum', 'ioredis', 'redis'],
    mainFields: ['module', 'main'],
    alias: Object.fromEntries(
      [
        'core',
        'http',
        'rate-limit',
        'consistent-hash',
        'circuit-breaker',
        'resilience',
        'load-balancer',
        'cache',
        'redis',
      ].map((name) => [`@weir/${name}`, join(root, 'packages', name)]),
    ),
  });
  const bytes = gzipSync(outputFiles[0].contents).length;
  const over = bytes > limit;
  if (over) failed += 1;
  console.log(
    `${over ? 'OVER ' : 'ok   '} ${String(bytes).padStart(6)} of ${String(limit).padStart(6)} bytes  ${code}`,
  );
}
process.exit(failed === 0 ? 0 : 1);
