import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type Policy, problem } from '@weir/core';
import { afterEach, expect, test } from 'vitest';
import { type Policies, weir } from '../src/node.ts';
import { spy } from '../src/testing.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A server that echoes whatever comes through an accepted tunnel. */
async function echo(policies: Policies): Promise<number> {
  const server = createServer();
  server.on(
    'upgrade',
    weir(policies, { onFault: () => {} }).upgrade((_req, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
      socket.pipe(socket);
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function dial(port: number): {
  socket: Socket;
  until: (text: string) => Promise<string>;
  closed: Promise<string>;
} {
  let received = '';
  const socket = connect(port, '127.0.0.1', () => {
    socket.write('GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  });
  open.push(() => socket.destroy());
  socket.on('data', (chunk) => (received += chunk.toString()));
  socket.on('error', () => {});
  return {
    socket,
    until: (text) =>
      expect
        .poll(() => received)
        .toContain(text)
        .then(() => received),
    closed: new Promise((resolve) => socket.on('close', () => resolve(received))),
  };
}

test('a policy that passes lets the tunnel through, which counts until it closes', async () => {
  const end = spy('end');
  const head = spy('head', { until: 'head' });
  const port = await echo([end, head]);
  const { socket, until } = dial(port);
  await until('101 Switching Protocols');
  expect(await head.left()).toMatchObject({ status: 101, kind: 'ok' });
  socket.write('ping');
  await until('ping');
  expect(end.outcomes).toEqual([]);
  socket.destroy();
  expect(await end.left()).toMatchObject({ status: 101, kind: 'ok' });
});

test.each([
  ['at once', () => problem(429, { headers: ['retry-after', '7'] })],
  ['later', async () => problem(429, { headers: ['retry-after', '7'] })],
])('a refusal given %s is answered on the socket, with the headers of policies', async (_when, enter) => {
  const outer = spy('outer', {
    enter: (x) => {
      x.setHeader('x-policy', '1');
      expect([x.method, x.path, x.header('upgrade'), x.ip, x.body]).toEqual([
        'GET',
        '/socket',
        'echo',
        '127.0.0.1',
        undefined,
      ]);
    },
  });
  const { closed } = dial(await echo([outer, { name: 'door', enter }]));
  const [head = '', body = ''] = (await closed).split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
  expect(head).toContain('retry-after: 7');
  expect(head).toContain('x-policy: 1');
  expect(head).toContain(`content-length: ${body.length}`);
  expect(JSON.parse(body)).toMatchObject({ status: 429 });
  expect(await outer.left()).toMatchObject({ status: 429, kind: 'rejected', by: 'door' });
});

test('what a client sends before it is let through is not lost', async () => {
  let decide = (): void => {};
  const decided = new Promise<void>((resolve) => (decide = resolve));
  let arrived = (): void => {};
  const there = new Promise<void>((resolve) => (arrived = resolve));
  const slow: Policy = {
    name: 'slow',
    enter() {
      arrived();
      return decided;
    },
  };
  const seen: string[] = [];
  const server = createServer();
  server.on(
    'upgrade',
    weir(slow).upgrade((_req, socket, head) => {
      seen.push(head.toString());
      socket.on('data', (chunk) => seen.push(chunk.toString()));
      socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  const { socket, until } = dial((server.address() as AddressInfo).port);
  await there;
  await new Promise((resolve) => socket.write('early ', resolve));
  decide();
  await until('101');
  socket.write('late');
  await expect.poll(() => seen.join('')).toBe('early late');
});

test('a client that leaves while a policy decides is nobody’s failure, and gets no tunnel', async () => {
  let arrived = (): void => {};
  const there = new Promise<void>((resolve) => (arrived = resolve));
  let decide = (): void => {};
  const decided = new Promise<void>((resolve) => (decide = resolve));
  const slow: Policy = {
    name: 'slow',
    enter() {
      arrived();
      return decided;
    },
  };
  const outer = spy('outer');
  const inner = spy('inner');
  const { socket } = dial(await echo([outer, slow, inner]));
  await there;
  socket.destroy();
  expect(await outer.left()).toMatchObject({ status: 0, kind: 'aborted' });
  decide();
  await new Promise((resolve) => setImmediate(resolve));
  expect(inner.outcomes).toEqual([]);
});
