import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BodyConsumedError, type Policy, type Source } from '@weir/core';
import { afterEach, expect, test } from 'vitest';
import { type Policies, weir } from '../src/node.ts';
import { ask } from '../src/testing.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(policies: Policies): Promise<number> {
  const server = createServer(weir(policies).wrap((_req, res) => res.end()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

/** All of a body; its reader says after each piece that it must wait, if it is told to. */
function read(source: Source | undefined, waits = false): Promise<string> {
  return new Promise((resolve, reject) => {
    if (source === undefined) resolve('(none)');
    let text = '';
    source?.start({
      write(chunk) {
        text += new TextDecoder().decode(chunk);
        if (waits) setImmediate(() => source.resume());
        return !waits;
      },
      end: () => resolve(text),
      abort: reject,
    });
  });
}

/** Takes the body to look at it, and gives back what it makes of it. */
const looks = (make: (text: string) => string): Policy => ({
  name: 'looks',
  async enter(x) {
    const text = await read(x.body?.requestBody());
    x.body?.setRequestBody?.(new TextEncoder().encode(make(text)));
    return undefined;
  },
});
const answers = (waits = false): Policy => ({
  name: 'answers',
  enter: async (x) => ({ status: 200, kind: 'ok', body: await read(x.body?.requestBody(), waits) }),
});

test.each([false, true])(
  'a policy gives back the body that it took, and the next takes it (waits: %s)',
  async (waits) => {
    const port = await serve([looks((text) => text), answers(waits)]);
    expect((await ask(port, { method: 'POST', body: 'hello' })).body).toBe('hello');
  },
);

test('also one that is empty, or another one', async () => {
  expect((await ask(await serve([looks(() => ''), answers()]), { method: 'POST', body: 'x' })).body).toBe('');
  const twice = [looks((text) => `${text}!`), looks((text) => `${text}?`), answers()];
  expect((await ask(await serve(twice), { method: 'POST', body: 'x' })).body).toBe('x!?');
});

test('it can be taken once, as the body itself', async () => {
  let error: unknown;
  const greedy: Policy = {
    name: 'greedy',
    async enter(x) {
      await read(x.body?.requestBody());
      try {
        x.body?.requestBody();
      } catch (thrown) {
        error = thrown;
      }
      return { status: 204 };
    },
  };
  await ask(await serve([looks((text) => text), greedy]), { method: 'POST', body: 'x' });
  expect(error).toBeInstanceOf(BodyConsumedError);
});
