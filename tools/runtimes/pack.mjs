// Uses every package as a stranger would: packed, installed into an empty project, from plain JavaScript on several
// Nodes, by `import` and by `require`, and its types under both kinds of module resolution.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const project = mkdtempSync(join(tmpdir(), 'weir-pack-'));
process.on('exit', () => rmSync(project, { recursive: true, force: true }));

const names = readdirSync(join(root, 'packages'));
const tarballs = join(project, 'tarballs');
mkdirSync(tarballs);
for (const name of names) {
  run('pnpm', ['pack', '--pack-destination', tarballs], join(root, 'packages', name));
}
const packed = readdirSync(tarballs).map((file) => `./tarballs/${file}`);
writeFileSync(
  join(project, 'package.json'),
  JSON.stringify({ name: 'stranger', private: true, type: 'module' }, null, 2),
);
const catalog = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
const pinned = (name) => `${name}@${new RegExp(`^ +"?${name}"?: (\\S+)$`, 'm').exec(catalog)[1]}`;
const further = ['express', '@types/express', '@types/node', 'hono', 'opossum', 'prom-client', 'typescript'];
run('npm', [
  ...['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
  ...[...packed, ...further.map(pinned)],
]);

const subpaths = names.flatMap((name) => {
  const { exports } = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
  return Object.keys(exports)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => `@weir/${name}${subpath.slice(1)}`);
});
writeFileSync(join(project, 'subpaths.json'), JSON.stringify(subpaths));
cpSync(join(import.meta.dirname, 'stranger'), project, { recursive: true });

const nodes = { 22: runtime('node22'), 24: runtime('node24'), 26: process.execPath };
for (const [version, node] of Object.entries(nodes)) {
  run(node, ['use.mjs']);
  run(node, ['require.cjs']);
  console.log(`pack: ${subpaths.length} entries work on Node ${version}, by import and by require`);
}
for (const resolution of ['nodenext', 'bundler']) {
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', `tsconfig.${resolution}.json`]);
  console.log(`pack: types check under ${resolution}`);
}

function runtime(name) {
  return join(import.meta.dirname, 'node_modules', name, 'bin/node');
}

function run(command, args, cwd = project) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status === 0) return;
  console.error(
    `pack: ${command} ${args.slice(0, 3).join(' ')} failed in ${cwd}\n${stdout}${stderr}${error ?? ''}`,
  );
  process.exit(1);
}
