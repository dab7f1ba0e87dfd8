// The adapters on every runtime: all tests of core and http on Node 22 and 24 (26 is what everything else runs on), the
// conformance suite on Bun's, Deno's and workerd's own servers.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const here = import.meta.dirname;
const root = join(here, '../..');
const modules = join(here, 'node_modules');
let failed = 0;

for (const name of ['node22', 'node24']) {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const projects = ['core', 'http'].flatMap((project) => ['--project', project]);
  run(name, join(modules, name, 'bin/node'), [
    vitest,
    'run',
    ...projects,
    '--reporter=dot',
    '--reporter=./tools/vitest-reporter.ts',
  ]);
}
run('bun', join(modules, '@oven/bun-linux-x64/bin/bun'), [join(here, 'conformance.mjs')]);
run('deno', join(modules, '@deno/linux-x64-glibc/deno'), [
  'run',
  '--allow-all',
  join(here, 'conformance.mjs'),
]);
await workerd();
console.log(`runtimes: ${failed === 0 ? 'all passed' : `${failed} failed`}`);
process.exit(failed === 0 ? 0 : 1);

function run(name, command, args) {
  // Some hosts print what the suite makes handlers throw; only a failure is worth reading.
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 300_000,
  });
  report(name, status === 0, status === 0 ? lastLine(stdout) : `${stdout}${stderr}${error ?? ''}`);
}

function lastLine(text) {
  return text.trimEnd().split('\n').at(-1);
}

function report(name, ok, text) {
  if (!ok) failed += 1;
  console.log(`${name}: ${ok ? '' : 'FAILED\n'}${text.trim()}`);
}

async function workerd() {
  const folder = mkdtempSync(join(tmpdir(), 'weir-workerd-'));
  buildSync({
    entryPoints: [join(here, 'workerd/worker.mjs')],
    outfile: join(folder, 'bundle.js'),
    bundle: true,
    format: 'esm',
    target: 'es2023',
    external: ['node:*'],
    logLevel: 'error',
  });
  const config = join(folder, 'config.capnp');
  copyFileSync(join(here, 'workerd/config.capnp'), config);
  const port = await freePort();
  const binary = join(modules, '@cloudflare/workerd-linux-64/bin/workerd');
  const child = spawn(binary, ['serve', config, '--socket-addr', `http=127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  try {
    const text = await ask(`http://127.0.0.1:${port}/run`);
    report('workerd', /, 0 failed$/.test(text.trim()), text);
  } catch (error) {
    report('workerd', false, String(error));
  }
  child.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** Waits until somebody listens, then for the answer. */
async function ask(url) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(240_000) });
      return await response.text();
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
