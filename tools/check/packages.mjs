// Each package as npm would publish it: publint and "are the types wrong" on its tarball.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const bin = join(import.meta.dirname, 'node_modules/.bin');
const windows = process.platform === 'win32';
let failed = 0;
for (const name of readdirSync(join(root, 'packages'))) {
  const cwd = join(root, 'packages', name);
  for (const [tool, ...args] of [
    ['publint', '--strict'],
    ['attw', '--pack', '.', '--profile', 'esm-only', '--format', 'ascii', '--quiet'],
  ]) {
    const { status, stdout, stderr } = spawnSync(join(bin, tool), args, {
      cwd,
      encoding: 'utf8',
      shell: windows,
    });
    if (status === 0) continue;
    failed += 1;
    console.error(`${tool} on @weir/${name}:\n${stdout}${stderr}`);
  }
}
console.log(`packages: ${failed === 0 ? 'valid' : `${failed} problems`}`);
process.exit(failed === 0 ? 0 : 1);
