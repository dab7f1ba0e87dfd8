// Runs a task of this repository on the pinned Node.js and pnpm, whatever the machine has.
// Needs npm and any Node.js >= 18. Usage: node tools/run.mjs <task> [arguments of its last step]
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const windows = process.platform === 'win32';

/** The folders that install on their own, and what a task may ask the workspace for. */
const gateway = ['--filter', 'example-gateway...'];
const withoutCheckTools = ['--filter', '!check-tools'];

const build = (filter = []) => pnpm('-r', ...filter, '--workspace-concurrency=4', 'run', 'build');
const tasks = {
  install: { install: [], steps: [] },
  build: { install: withoutCheckTools, steps: [build(['--filter', './packages/*'])] },
  start: {
    install: gateway,
    steps: [
      build(['--filter', 'example-gateway^...']),
      { command: 'node', args: ['src/main.ts'], cwd: 'examples/gateway' },
    ],
  },
  test: {
    install: withoutCheckTools,
    steps: [
      build(['--filter', './packages/*']),
      pnpm('exec', 'tsc', '--build'),
      pnpm('exec', 'vitest', 'run'),
    ],
  },
  vitest: { install: withoutCheckTools, steps: [pnpm('exec', 'vitest', 'run')] },
  types: { install: withoutCheckTools, steps: [pnpm('exec', 'tsc', '--build')] },
  format: { install: [], steps: [tool('biome', 'check', '--write', '.')] },
  check: {
    install: [],
    steps: [
      tool('biome', 'ci', '.'),
      tool('knip'),
      tool('changeset', 'status'),
      build(['--filter', './packages/*']),
      { command: 'node', args: ['tools/check/packages.mjs'] },
      { command: 'node', args: ['tools/check/size.mjs'] },
      pnpm('exec', 'tsc', '--build'),
      pnpm('exec', 'vitest', 'run', '--coverage'),
    ],
  },
  pack: {
    install: withoutCheckTools,
    alone: ['tools/runtimes'],
    steps: [build(['--filter', './packages/*']), { command: 'node', args: ['tools/runtimes/pack.mjs'] }],
  },
  runtimes: {
    install: withoutCheckTools,
    alone: ['tools/runtimes'],
    steps: [build(['--filter', '@weir/http...']), { command: 'node', args: ['tools/runtimes/matrix.mjs'] }],
  },
  bench: {
    install: withoutCheckTools,
    alone: ['tools/bench'],
    steps: [
      build(['--filter', './packages/*']),
      { command: 'node', args: ['--expose-gc', 'tools/bench/run.mjs'] },
    ],
  },
};

function pnpm(...args) {
  return { command: 'pnpm', args };
}

/** A check-only tool; they live in tools/check so that `start` and `test` need not install them. */
function tool(name, ...args) {
  return { command: join(root, 'tools/check/node_modules/.bin', name), args };
}

const [name = 'test', ...rest] = process.argv.slice(2);
const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
if (!task) fail(`unknown task "${name}". Tasks: ${Object.keys(tasks).join(', ')}`);

// npm hands its own settings to child processes; pnpm must not inherit them.
const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key)));
npmInstall('tools/toolchain');
env.PATH = join(root, 'tools/toolchain/node_modules/.bin') + delimiter + process.env.PATH;
for (const folder of task.alone ?? []) npmInstall(folder);

await run({
  command: 'pnpm',
  args: [
    ...['install', ...task.install, '--frozen-lockfile', '--prefer-offline'],
    ...['--reporter=append-only', '--loglevel=warn'],
  ],
});
for (const [index, step] of task.steps.entries()) {
  const last = index === task.steps.length - 1;
  await run(last ? { ...step, args: [...step.args, ...rest] } : step);
}

/** Installs a folder with its own npm lockfile, once for each content of that lockfile. */
function npmInstall(folder) {
  const directory = join(root, folder);
  const stamp = join(directory, 'node_modules', '.installed');
  const lock = readFileSync(join(directory, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync('npm', ['ci', ...quiet], {
    cwd: directory,
    env,
    stdio: 'inherit',
    shell: windows,
  });
  if (error) fail(error.message);
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(stamp, wanted);
}

/** Runs one step to its end. Signals from the terminal reach the child itself, so wait for it. */
function run({ command, args, cwd = '.' }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: join(root, cwd),
      env,
      stdio: 'inherit',
      shell: windows,
    });
    const relay = (signal) => child.kill(signal);
    process.on('SIGTERM', relay).on('SIGINT', () => {});
    child.on('error', (error) => fail(error.message));
    child.on('exit', (code, signal) => {
      process.removeAllListeners('SIGTERM').removeAllListeners('SIGINT');
      if (code === 0) resolve();
      else process.exit(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}

function fail(message) {
  console.error(`run: ${message}`);
  process.exit(1);
}
