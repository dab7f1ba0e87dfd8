import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('a CommonJS application of Nest requires the adapter', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=@weir/source',
    join(import.meta.dirname, 'fixtures/nest-app.cjs'),
  ]);
  expect(stdout).toBe('200 429\n');
});
