import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Policies, weir } from '@weir/http/node';
import { createPool, type Pool, type PoolOptions, roundRobin, stickyCookie } from '@weir/load-balancer';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type Upgrade, type UpgradeOptions, upgrade } from '../src/index.ts';
import {
  cleanUp,
  eventually,
  inFlight,
  listen,
  noted,
  openSockets,
  rawUpstream,
  refusingPort,
} from './support.ts';

interface Tunnelled {
  readonly port: number;
  readonly pool: Pool;
  readonly handler: Upgrade;
  readonly server: Server;
}

async function tunnelTo(
  urls: readonly string[],
  options: UpgradeOptions = {},
  {
    before,
    pool: poolOptions,
    ordered = false,
  }: { before?: Policies; pool?: PoolOptions; ordered?: boolean } = {},
): Promise<Tunnelled> {
  const pool = createPool(
    urls.map((url, i) => ({ url, priority: ordered ? i : 0 })),
    { strategy: roundRobin(), ...poolOptions },
  );
  const handler = upgrade(pool, options);
  const server = createServer();
  server.on('upgrade', before === undefined ? handler : weir(before).upgrade(handler));
  const port = await listen(server);
  cleanUp(() => handler.close({ within: 0 }));
  cleanUp(() => pool.close());
  return { port, pool, handler, server };
}

/** An upstream that upgrades to whatever is asked for and echoes, and keeps the requests. */
async function echoing(
  accept: (req: IncomingMessage, socket: Duplex) => void = (req, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, x-internal\r\nUpgrade: ${req.headers.upgrade}\r\nX-Internal: 1\r\nX-Kept: 1\r\n\r\n`,
    );
    socket.pipe(socket);
  },
) {
  const server = createServer();
  const requests: IncomingMessage[] = [];
  const sockets = openSockets(server);
  server.on('upgrade', (req, socket) => {
    requests.push(req);
    socket.on('error', () => {});
    accept(req, socket);
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, requests, sockets, server };
}

const hello = (lines: readonly string[] = [], protocol = 'echo'): string =>
  [
    'GET /socket?q HTTP/1.1',
    'Host: shop.example',
    'Connection: upgrade',
    `Upgrade: ${protocol}`,
    ...lines,
    '',
    '',
  ].join('\r\n');

function dial(port: number, text: string) {
  let received = '';
  const socket: Socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
  cleanUp(() => socket.destroy());
  socket.on('data', (chunk) => (received += chunk.toString('latin1'))).on('error', () => {});
  return {
    socket,
    until: async (wanted: string) => {
      await eventually(() => received).toContain(wanted);
      return received;
    },
    closed: new Promise<string>((resolve) => socket.on('close', () => resolve(received))),
  };
}

describe('an upgrade', () => {
  test('is passed on with its headers by the same rules, and joins the sockets', async () => {
    const upstream = await echoing();
    const { port, pool, handler } = await tunnelTo([upstream.url], { forwarded: 'both' });
    const { socket, until, closed } = dial(
      port,
      hello([
        'Connection: x-secret',
        'X-Secret: 1',
        'Proxy-Authorization: x',
        'Sec-WebSocket-Protocol: chat',
        'X-Forwarded-For: 6.6.6.6',
      ]),
    );
    const head = await until('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(head).toMatch(/connection: upgrade\r\nupgrade: echo\r\n/);
    expect(head).toMatch(/x-kept: 1/);
    expect(head).not.toMatch(/x-internal/i);
    const [req] = upstream.requests;
    expect([req!.method, req!.url]).toEqual(['GET', '/socket?q']);
    expect(req!.headers).toMatchObject({
      connection: 'upgrade',
      upgrade: 'echo',
      'sec-websocket-protocol': 'chat',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'shop.example',
      forwarded: 'for=127.0.0.1;proto=http;host=shop.example',
      via: '1.1 weir',
    });
    expect(req!.headers).not.toHaveProperty('x-secret');
    expect(req!.headers).not.toHaveProperty('proxy-authorization');
    expect(inFlight(pool)).toBe(1);
    expect(handler.snapshot()).toMatchObject({ inFlight: 1, tunnels: 1, answered: 1 });
    socket.write('ping');
    await until('ping');
    socket.end();
    await closed;
    await eventually(() => [inFlight(pool), upstream.sockets.size]).toEqual([0, 0]);
    expect(noted(pool)).toEqual([{ succeeded: 1, failed: 0 }]);
    expect(handler.snapshot()).toMatchObject({ inFlight: 0, tunnels: 0 });
  });

  test('loses nothing that either side sends with its head', async () => {
    const upstream = await rawUpstream((socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nwelcome ',
      );
      socket.on('data', (chunk) => socket.write(chunk));
    });
    const { port } = await tunnelTo([upstream.url]);
    const { until } = dial(port, `${hello()}early`);
    const received = await until('early');
    expect(received.endsWith('\r\n\r\nwelcome early')).toBe(true);
  });

  test('goes to another upstream if one refuses or dies, and is answered if there is none', async () => {
    const upstream = await echoing();
    const dying = await rawUpstream((socket) => socket.destroy());
    const { port, handler } = await tunnelTo(
      [`http://127.0.0.1:${await refusingPort()}`, dying.url, upstream.url],
      {},
      { ordered: true },
    );
    expect(await dial(port, hello()).until('\r\n\r\n')).toContain('101');
    expect(handler.snapshot()).toMatchObject({ tries: 3, retries: 2 });
    const none = await tunnelTo([`http://127.0.0.1:${await refusingPort()}`]);
    const answer = await dial(none.port, hello()).closed;
    expect(answer).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(answer).toContain('proxy-status: weir; error=connection_refused');
    expect(answer).toContain('application/problem+json');
    const empty = await tunnelTo([]);
    expect(await dial(empty.port, hello()).closed).toMatch(/^HTTP\/1\.1 503 (?:.*\r\n)*retry-after: 1\r\n/i);
    const silent = await tunnelTo([(await rawUpstream(() => {})).url], { timeout: { head: 50 } });
    expect(await dial(silent.port, hello()).closed).toMatch(/^HTTP\/1\.1 504 /);
  });

  test.each([
    [
      'with a length',
      'HTTP/1.1 426 Upgrade Required\r\ncontent-length: 4\r\nx-kept: 1\r\n\r\nnone',
      '\r\n\r\nnone',
    ],
    [
      'in chunks',
      'HTTP/1.1 401 Unauthorized\r\ntransfer-encoding: chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n',
      '\r\n\r\nnone',
    ],
    ['without a body', 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n', '\r\n\r\n'],
  ])('that is answered %s and not upgraded is answered so, and closed', async (_how, answer, end) => {
    const upstream = await rawUpstream(answer);
    const { port, pool } = await tunnelTo([upstream.url]);
    const text = await dial(port, `${hello()}GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n`).closed;
    expect(text.startsWith(answer.slice(0, 20))).toBe(true);
    expect(text.endsWith(end)).toBe(true);
    expect(text).toContain('connection: close');
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(upstream.requests).toHaveLength(1);
    await eventually(() => inFlight(pool)).toBe(0);
    expect(noted(pool)).toEqual([{ succeeded: 1, failed: 0 }]);
  });

  test('to another protocol than the one asked for is a failure', async () => {
    const upstream = await rawUpstream(
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n',
    );
    const { port, pool } = await tunnelTo([upstream.url]);
    const answer = await dial(port, hello([], 'websocket')).closed;
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(answer).toContain('error=http_upgrade_failed');
    await eventually(() => [inFlight(pool), upstream.sockets.size]).toEqual([0, 0]);
  });

  test.each([
    ['to h2c', hello([], 'h2c')],
    ['to H2C among others', hello([], 'websocket, H2C')],
    ['to TLS', hello([], 'TLS/1.2')],
    ['with a body', hello(['Content-Length: 5'])],
    ['with chunks', hello(['Transfer-Encoding: chunked'])],
    ['for two hosts', hello(['Host: b'])],
  ])('%s is refused', async (_what, text) => {
    const upstream = await echoing();
    const { port, handler } = await tunnelTo([upstream.url]);
    expect(await dial(port, text).closed).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.requests).toEqual([]);
    await eventually(() => handler.snapshot()).toMatchObject({ refused: 1, tunnels: 0 });
  });

  test('to a protocol that was not allowed is refused', async () => {
    const upstream = await echoing();
    const { port } = await tunnelTo([upstream.url], { protocols: ['WebSocket'] });
    expect(await dial(port, hello()).closed).toMatch(/^HTTP\/1\.1 400 /);
    expect(await dial(port, hello([], 'websocket')).until('\r\n\r\n')).toContain('101');
    for (const protocols of [[], ['h2c'], [''], 'websocket']) {
      expect(() => upgrade(createPool([]), { protocols } as never)).toThrow(
        expect.objectContaining({ option: 'protocols' }),
      );
    }
  });

  test('meets the policies in front of it, and believes what they found out about the client', async () => {
    const upstream = await echoing();
    const { port } = await tunnelTo(
      [upstream.url],
      { onResponse: (_response, x) => x.appendHeader('x-path', x.path) },
      {
        before: {
          name: 'door',
          enter: (x) => (x.header('x-let-me') === undefined ? { status: 403 } : undefined),
        },
      },
    );
    expect(await dial(port, hello()).closed).toMatch(/^HTTP\/1\.1 403 /);
    expect(upstream.requests).toEqual([]);
    expect(await dial(port, hello(['X-Let-Me: in'])).until('\r\n\r\n')).toContain('x-path: /socket');
    const server = createServer();
    const handler = upgrade(createPool([upstream.url]));
    cleanUp(() => handler.close({ within: 0 }));
    server.on('upgrade', weir([], { trustedProxies: 1 }).upgrade(handler));
    const trusting = await listen(server);
    await dial(trusting, hello(['X-Forwarded-For: 203.0.113.9'])).until('\r\n\r\n');
    expect(upstream.requests.at(-1)!.headers['x-forwarded-for']).toBe('203.0.113.9, 127.0.0.1');
  });

  test('of a sticky pool names its upstream in the 101', async () => {
    const upstream = await echoing();
    const { port } = await tunnelTo(
      [upstream.url],
      {},
      {
        pool: { sticky: stickyCookie({ secret: 'a secret of at least 32 characters' }) },
      },
    );
    expect(await dial(port, hello()).until('\r\n\r\n')).toMatch(/set-cookie: /);
  });

  test('whose hook throws is answered with 500', async () => {
    const upstream = await echoing();
    const said: unknown[] = [];
    const { error } = console;
    console.error = (...words: unknown[]) => void said.push(words);
    cleanUp(() => (console.error = error));
    for (const hook of ['onRequest', 'onResponse'] as const) {
      const { port, pool, handler } = await tunnelTo([upstream.url], {
        [hook]() {
          throw new Error('bug');
        },
      });
      expect(await dial(port, hello()).closed).toMatch(/^HTTP\/1\.1 500 /);
      await eventually(() => [inFlight(pool), handler.snapshot().inFlight]).toEqual([0, 0]);
    }
    expect(said).toHaveLength(2);
    await eventually(() => upstream.sockets.size).toBe(0);
  });
});

describe('0 of 10 upstream sockets are left', () => {
  test.each(['resets', 'closes', 'ends'] as const)(
    'when the client %s while the upgrade is pending',
    async (how) => {
      const upstream = await rawUpstream(() => {});
      const { port, pool, handler } = await tunnelTo([upstream.url]);
      const clients = Array.from({ length: 10 }, () => dial(port, hello()).socket);
      await eventually(() => upstream.requests.length).toBe(10);
      expect([inFlight(pool), upstream.sockets.size]).toEqual([10, 10]);
      for (const socket of clients) {
        if (how === 'resets') socket.resetAndDestroy();
        else if (how === 'closes') socket.destroy();
        else socket.end();
      }
      await eventually(() => [inFlight(pool), upstream.sockets.size]).toEqual([0, 0]);
      expect(noted(pool)).toEqual([{ succeeded: 0, failed: 0 }]);
      await eventually(() => handler.snapshot()).toMatchObject({ inFlight: 0, aborted: 10, tunnels: 0 });
    },
  );

  test.each(['resets', 'closes'] as const)('when the client %s in the tunnel', async (how) => {
    const upstream = await echoing();
    const { port, pool } = await tunnelTo([upstream.url]);
    const clients = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { socket, until } = dial(port, hello());
        await until('\r\n\r\n');
        return socket;
      }),
    );
    for (const socket of clients) {
      if (how === 'resets') socket.resetAndDestroy();
      else socket.destroy();
    }
    await eventually(() => [inFlight(pool), upstream.sockets.size]).toEqual([0, 0]);
    expect(noted(pool)[0]!.failed).toBe(0);
  });

  test.each(['resets', 'closes'] as const)('and none of the client’s when the upstream %s', async (how) => {
    const upstream = await echoing();
    const { port, pool, handler } = await tunnelTo([upstream.url], {}, { pool: { outliers: false } });
    const clients = Array.from({ length: 10 }, () => dial(port, hello()));
    await Promise.all(clients.map(({ until }) => until('\r\n\r\n')));
    for (const socket of upstream.sockets) {
      if (how === 'resets') socket.resetAndDestroy();
      else socket.destroy();
    }
    await Promise.all(clients.map(({ closed }) => closed));
    await eventually(() => [inFlight(pool), handler.snapshot().tunnels]).toEqual([0, 0]);
    expect(noted(pool)[0]!.failed).toBe(how === 'resets' ? 10 : 0);
  });

  test('when nothing moves for too long', async () => {
    const upstream = await echoing();
    const { port, pool } = await tunnelTo([upstream.url], { timeout: { idle: 80 } });
    const { until, closed } = dial(port, hello());
    await until('\r\n\r\n');
    await closed;
    await eventually(() => [inFlight(pool), upstream.sockets.size]).toEqual([0, 0]);
  });
});

test('a half-closed side lets the other finish', async () => {
  const upstream = await echoing((req, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: ${req.headers.upgrade}\r\nconnection: upgrade\r\n\r\n`,
    );
    socket.on('data', () => {}).on('end', () => socket.end('farewell'));
  });
  const { port, pool } = await tunnelTo([upstream.url]);
  const { socket, until, closed } = dial(port, hello());
  await until('\r\n\r\n');
  socket.end('that is all');
  expect(await closed).toMatch(/farewell$/);
  await eventually(() => inFlight(pool)).toBe(0);
});

test('a side that does not read holds the other back, and loses nothing', async () => {
  const total = 48 * 1024 * 1024;
  let sent = 0;
  const upstream = await echoing((req, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: ${req.headers.upgrade}\r\nconnection: upgrade\r\n\r\n`,
    );
    const chunk = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (sent < total) {
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on('drain', more).resume();
    more();
  });
  const { port } = await tunnelTo([upstream.url]);
  const socket = connect(port, '127.0.0.1', () => socket.write(hello()));
  cleanUp(() => socket.destroy());
  socket.on('error', () => {});
  let received = (await new Promise<Buffer>((resolve) => socket.once('data', resolve))).length;
  socket.pause();
  let before = -1;
  await expect.poll(() => before === (before = sent), { interval: 200, timeout: 10_000 }).toBe(true);
  expect(sent).toBeLessThan(total / 2);
  socket.on('data', (chunk) => (received += chunk.length)).resume();
  await new Promise((resolve) => socket.on('end', resolve));
  expect(received).toBeGreaterThan(total);
  socket.end();
});

test('close() refuses new upgrades, waits for the tunnels, and cuts those that stay', async () => {
  const upstream = await echoing();
  const { port, handler } = await tunnelTo([upstream.url], { name: 'chat' });
  expect([handler.kind, handler.name]).toEqual(['upgrade', 'chat']);
  expect(
    handler.metrics().every(({ name, labels }) => /^weir_proxy_/.test(name) && labels.proxy === 'chat'),
  ).toBe(true);
  const leaves = dial(port, hello());
  const stays = dial(port, hello());
  await Promise.all([leaves, stays].map(({ until }) => until('\r\n\r\n')));
  const closing = handler.close({ within: 200 });
  expect(await dial(port, hello()).closed).toMatch(/^HTTP\/1\.1 503 /);
  leaves.socket.end();
  await closing;
  await stays.closed;
  await eventually(() => upstream.sockets.size).toBe(0);
  await handler.close();
});

test('of 1,000 WebSockets over two upstreams, one killed, its clients see a close and the others nothing', async () => {
  const upstreams = await Promise.all(
    Array.from({ length: 2 }, async () => {
      const server = createServer();
      const sockets = openSockets(server);
      const wss = new WebSocketServer({ server });
      wss.on('connection', (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })));
      cleanUp(() => wss.close());
      return { url: `http://127.0.0.1:${await listen(server)}`, sockets, wss };
    }),
  );
  const { port, pool } = await tunnelTo(
    upstreams.map(({ url }) => url),
    {},
    { pool: { outliers: false } },
  );
  const clients: WebSocket[] = [];
  const closed = new Set<WebSocket>();
  const echoes = new Map<WebSocket, string>();
  const connectOne = async (i: number): Promise<void> => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/chat/${i}`);
    cleanUp(() => ws.terminate());
    ws.on('error', () => {});
    ws.on('close', () => closed.add(ws));
    ws.on('message', (data) => echoes.set(ws, String(data)));
    clients.push(ws);
    await new Promise((resolve) => ws.on('open', resolve));
    ws.send(`hello ${i}`);
  };
  for (let i = 0; i < 1_000; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => connectOne(i + j)));
  }
  await eventually(() => echoes.size).toBe(1_000);
  expect(pool.upstreams.map((each) => each.inFlight)).toEqual([500, 500]);
  const [killed, alive] = upstreams;
  for (const socket of killed!.sockets) socket.destroy();
  await eventually(() => closed.size).toBe(500);
  await eventually(() => inFlight(pool)).toBe(500);
  const rest = clients.filter((ws) => !closed.has(ws));
  echoes.clear();
  for (const ws of rest) ws.send('still there');
  await eventually(() => echoes.size).toBe(500);
  expect([closed.size, alive!.wss.clients.size]).toEqual([500, 500]);
  for (const ws of rest) ws.close();
  await eventually(() => [inFlight(pool), alive!.sockets.size]).toEqual([0, 0]);
}, 60_000);

test('a tunnel is no business of the server’s own timeouts', async () => {
  const upstream = await echoing();
  const { port, server } = await tunnelTo([upstream.url]);
  server.keepAliveTimeout = 20;
  const { socket, until } = dial(port, hello());
  await until('\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 200));
  socket.write('after');
  expect(await until('after')).toContain('after');
  expect((server.address() as AddressInfo).port).toBe(port);
});
