import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvalidOptionError } from '@weir/core';
import { weir } from '@weir/http/node';
import { describe, expect, test } from 'vitest';
import { type DashboardOptions, dashboard } from '../src/index.ts';
import { component } from './components.ts';

interface Asked {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
}

/** One request to a dashboard on a server of its own, with exactly these headers. */
async function ask(
  path: string,
  {
    options = {},
    headers = {},
    method = 'GET',
    components = [component('cache', 'a')],
  }: {
    options?: DashboardOptions;
    headers?: Record<string, string>;
    method?: string;
    components?: Parameters<typeof dashboard>[0];
  } = {},
): Promise<Asked> {
  await using open = await serve(options, components);
  return await open.ask(path, { headers, method });
}

async function serve(options: DashboardOptions, components: Parameters<typeof dashboard>[0]) {
  const shown = dashboard(components, options);
  const server = createServer(weir(shown, { trustedProxies: ['127.0.0.1'] }).wrap((_req, res) => res.end()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    ask: (path: string, { headers = {}, method = 'GET' } = {}): Promise<Asked> =>
      new Promise((resolve, reject) => {
        const req = request({ port, host: '127.0.0.1', path, headers, method, agent: false }, (res) => {
          let body = '';
          res.on('data', (chunk) => {
            body += chunk;
            if (path.endsWith('events')) req.destroy();
          });
          res.on('close', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }));
          res.on('error', () => {});
        });
        req.on('error', reject).end();
      }),
    async [Symbol.asyncDispose]() {
      shown.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

describe('what it shows', () => {
  test.each(['/', '/_weir/', '/deep/in/here/'])(
    'the page at %s, whose parts are below its own path',
    async (base) => {
      const page = await ask(base);
      expect(page.status).toBe(200);
      expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(page.body).not.toMatch(/(?:src|href)="\//);
      for (const part of ['style.css', 'app.js', 'draw.js'])
        expect((await ask(base + part)).status).toBe(200);
      expect(JSON.parse((await ask(`${base}snapshot`)).body).components).toMatchObject([
        { kind: 'cache', name: 'a' },
      ]);
      const events = await ask(`${base}events`);
      expect(events.headers['content-type']).toBe('text/event-stream');
      expect(events.body).toMatch(/^id: 0\ndata: \{.*\}\n\n$/);
    },
  );

  test('a mount without its slash leads to the one with it', async () => {
    const { status, headers } = await ask('/_weir');
    expect([status, headers.location]).toEqual([308, './_weir/']);
  });

  test('nothing of it is kept by caches, framed, or lets foreign scripts in', async () => {
    const { headers } = await ask('/');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['content-security-policy']).toMatch(
      /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/,
    );
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  test('components may be listed by a function, read for each frame', async () => {
    const list = [component('cache', 'a')];
    await using open = await serve({}, () => list);
    list.push(component('cache', 'b'));
    expect(JSON.parse((await open.ask('/snapshot')).body).components).toHaveLength(2);
  });

  test('other methods are refused', async () => {
    expect((await ask('/', { method: 'DELETE' })).status).toBe(405);
    expect((await ask('/', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('who may see it', () => {
  test.each([
    ['passed on by a proxy', { 'x-forwarded-for': '127.0.0.1' }],
    ['passed on by a proxy that says so otherwise', { forwarded: 'for=127.0.0.1' }],
    ['passed on with a platform header', { 'x-real-ip': '127.0.0.1' }],
    ['from another machine', { 'x-forwarded-for': '203.0.113.7' }],
    ['for a foreign name that points here', { host: 'evil.example' }],
  ])('without auth nobody %s', async (_, headers) => {
    for (const path of ['/', '/snapshot', '/events', '/app.js'])
      expect((await ask(path, { headers })).status).toBe(403);
  });

  test('with user and password whoever has both', async () => {
    const options = { auth: { user: 'ops', password: 'pä:ss' } };
    const remote = { 'x-forwarded-for': '203.0.113.7' };
    const none = await ask('/', { options, headers: remote });
    expect([none.status, none.headers['www-authenticate']]).toEqual([
      401,
      'Basic realm="weir", charset="UTF-8"',
    ]);
    for (const wrong of [
      basic('ops', 'pa:ss'),
      basic('op', 'spä:ss'),
      basic('ops', ''),
      { authorization: 'Basic %%' },
      { authorization: 'Bearer x' },
    ]) {
      expect((await ask('/snapshot', { options, headers: { ...remote, ...wrong } })).status).toBe(401);
    }
    expect((await ask('/', { options, headers: { ...remote, ...basic('ops', 'pä:ss') } })).status).toBe(200);
  });

  test('with a function whoever it says', async () => {
    const auth: DashboardOptions['auth'] = async (x) => x.header('x-role') === 'admin';
    expect((await ask('/', { options: { auth } })).status).toBe(403);
    expect((await ask('/', { options: { auth }, headers: { 'x-role': 'admin' } })).status).toBe(200);
  });
});

describe('actions', () => {
  const acting = async () => {
    const done: unknown[] = [];
    const breaker = component(
      'breaker',
      'a',
      {},
      {
        actions: {
          forceOpen: (argument) => void done.push(argument),
          refuse: () => {
            throw new InvalidOptionError('argument', 'a URL', 'x');
          },
        },
      },
    );
    const open = await serve({ actions: true }, [breaker]);
    const token = /name="weir-token" content="([^"]+)"/.exec((await open.ask('/')).body)![1]!;
    return { open, done, token, path: '/actions?kind=breaker&name=a&action=' };
  };

  test('are not there unless asked for', async () => {
    const { status } = await ask('/actions?kind=breaker&name=a&action=forceOpen', { method: 'POST' });
    expect(status).toBe(403);
    const [shown] = JSON.parse(
      (await ask('/snapshot', { components: [component('breaker', 'a', {}, { actions: { reset() {} } })] }))
        .body,
    ).components;
    expect(shown.actions).toEqual([]);
  });

  test('are done with the token of the page, and logged', async () => {
    const { open, done, token, path } = await acting();
    await using _ = open;
    const headers = {
      'x-weir-token': token,
      origin: `http://127.0.0.1:${open.port}`,
      'sec-fetch-site': 'same-origin',
    };
    expect((await open.ask(`${path}forceOpen&argument=u`, { method: 'POST', headers })).status).toBe(204);
    expect(done).toEqual(['u']);
    const objects = encodeURIComponent('{"tag":"news"}');
    await open.ask(`${path}forceOpen&argument=${objects}`, { method: 'POST', headers });
    await open.ask(`${path}forceOpen&argument=${encodeURIComponent('{no')}`, { method: 'POST', headers });
    expect(done.slice(1)).toEqual([{ tag: 'news' }, '{no']);
    const { components, events } = JSON.parse((await open.ask('/snapshot')).body);
    expect(components[0].actions).toEqual(['forceOpen', 'refuse']);
    expect(events.at(-1)).toMatchObject({
      what: 'dashboard:action',
      details: { name: 'a', action: 'forceOpen' },
    });
  });

  test.each([
    ['without the token', {}],
    ['with a wrong token', { 'x-weir-token': 'a'.repeat(32) }],
    ['from another site', { 'x-weir-token': 'TOKEN', 'sec-fetch-site': 'cross-site' }],
    ['from another site of the same owner', { 'x-weir-token': 'TOKEN', 'sec-fetch-site': 'same-site' }],
    ['with another origin', { 'x-weir-token': 'TOKEN', origin: 'https://evil.example' }],
    ['with no origin to speak of', { 'x-weir-token': 'TOKEN', origin: 'null' }],
  ])('are refused %s', async (_, headers) => {
    const { open, done, token, path } = await acting();
    await using __ = open;
    const sent = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('TOKEN', token)]),
    );
    expect((await open.ask(`${path}forceOpen`, { method: 'POST', headers: sent })).status).toBe(403);
    expect(done).toEqual([]);
  });

  test('are refused as anything but a POST, and where there is none of that name', async () => {
    const { open, token, path } = await acting();
    await using _ = open;
    const headers = { 'x-weir-token': token };
    expect((await open.ask(`${path}forceOpen`, { headers })).status).toBe(405);
    for (const name of ['nothing', 'constructor', '__proto__', 'toString']) {
      expect((await open.ask(path + name, { method: 'POST', headers })).status).toBe(404);
    }
    expect(
      (await open.ask('/actions?kind=breaker&name=b&action=forceOpen', { method: 'POST', headers })).status,
    ).toBe(404);
    const refused = await open.ask(`${path}refuse`, { method: 'POST', headers });
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.body).detail).toContain('must be a URL');
  });
});

test.each([
  [{ auth: 'secret' }, 'auth'],
  [{ auth: { user: 'a' } }, 'auth.password'],
  [{ auth: { user: '', password: 'b' } }, 'auth.user'],
  [{ auth: { user: 'a', password: 'b', role: 'c' } }, 'role'],
  [{ actions: 'all' }, 'actions'],
  [{ colour: 'red' }, 'colour'],
])('refuses %j by name', (options, option) => {
  expect(() => dashboard([], options as never)).toThrow(
    expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option }),
  );
});

test('refuses what is not a component', () => {
  expect(() => dashboard([{}] as never)).toThrow(/components/);
});
