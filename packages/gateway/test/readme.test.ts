import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Command } from './command.ts';

const command = new Command();
const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');

test('the configuration in the README is valid as it stands', async () => {
  const [, text = ''] = /```ts\n(\/\/ gateway\.config\.ts\n[\s\S]*?)```/.exec(readme) ?? [];
  const file = command.write('gateway.config.ts', text);
  const env = { ...process.env, OPS_PASSWORD: 'a long one' };
  expect(await command.run([file, '--check'], env).ended()).toEqual([0, `${file}: valid\n`]);
  const [code, said] = await command.run([file, '--check'], { ...process.env, OPS_PASSWORD: '' }).ended();
  expect([code, said]).toEqual([1, expect.stringMatching(/dashboard\.auth\.password/)]);
});
