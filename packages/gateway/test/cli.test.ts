import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Command } from './command.ts';

const command = new Command();
const weir = (...args: string[]) => command.run(args);

const config = (body: string, further: object = {}) => ({
  listen: { host: '127.0.0.1' },
  upstreams: {},
  routes: [{ match: {}, respond: { status: 200, body }, ...further }],
});
const write = (name: string, text: string): string => command.write(name, text);

describe('the command weir', () => {
  test('says of a file whether it is valid, and starts nothing', async () => {
    const good = write('good.json', JSON.stringify(config('a')));
    expect(await weir(good, '--check').ended()).toEqual([0, 'good.json: valid\n']);
    const bad = write('bad.json', JSON.stringify(config('a', { upstrem: 'x' })));
    const [code, said] = await weir(bad, '--check').ended();
    expect([code, said]).toEqual([
      1,
      'weir: the configuration is not valid:\n  routes[0].upstrem: is not known; did you mean upstream?\n',
    ]);
  });

  test.each([
    [['missing.json'], 1, /cannot read it/],
    [['missing.mjs'], 1, /cannot read it/],
    [[write('broken.json', '{'), '--check'], 1, /JSON/],
    [['a.json', '--prot=1'], 1, /--prot/],
    [[], 2, /weir <config file>/],
    [['--help'], 0, /SIGHUP/],
  ])('with %j ends with %i and says why', async (args, expected, message) => {
    const [code, said] = await weir(...args).ended();
    expect(code).toBe(expected);
    expect(said).toMatch(message);
    expect(said).not.toMatch(/^\s+at /m);
  });

  test('makes a key and its hash', async () => {
    const [, said] = await weir('hash-key').ended();
    const [, key, hash] = /^key {3}(\S{32})\nhash {2}sha256:([\da-f]{64})\n$/.exec(said)!;
    expect(createHash('sha256').update(key!).digest('hex')).toBe(hash);
  });

  test('runs a module, loads it again on SIGHUP, keeps it if the new one is wrong, and ends on SIGTERM', async () => {
    const file = write('gateway.mjs', `export default ${JSON.stringify(config('one'))}`);
    const { child, says, ended } = weir(file, '--port=0');
    const [, url] = await says(/listens on (\S+)/);
    const body = async () => (await fetch(url!)).text();
    expect(await body()).toBe('one');
    write('gateway.mjs', `export default ${JSON.stringify(config('two'))}`);
    child.kill('SIGHUP');
    await says(/reloaded/);
    expect(await body()).toBe('two');
    write('gateway.mjs', `export default ${JSON.stringify(config('three', { nonsense: 1 }))}`);
    child.kill('SIGHUP');
    await says(/not reloaded, the present configuration stays\n.*\n.*nonsense/);
    expect(await body()).toBe('two');
    child.kill('SIGTERM');
    expect((await ended())[0]).toBe(0);
  });
});
