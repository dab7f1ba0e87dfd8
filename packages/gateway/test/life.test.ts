import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createGateway, type GatewayConfig, validateConfig } from '../src/index.ts';
import { ask, origin, start } from './fixtures.ts';

const respond = (body: string, further: object = {}): GatewayConfig => ({
  upstreams: {},
  routes: [{ name: 'a', match: {}, respond: { status: 200, body }, ...further }],
});

describe('a reload', () => {
  test('is at once and whole', async () => {
    await using gateway = await start(respond('one'));
    gateway.gateway.reload(respond('two'));
    expect((await gateway.ask('/')).body).toBe('two');
  });

  test('that is not valid leaves everything as it is', async () => {
    await using gateway = await start(respond('one'));
    expect(() => gateway.gateway.reload({ upstreams: {}, routes: [{ match: {}, upstream: 'b' }] })).toThrow(
      /no upstream/,
    );
    expect(() =>
      gateway.gateway.reload(
        respond('two', { limit: { limits: { algorithm: 'fixedWindow', limit: 1, per: '1s', burst: 2 } } }),
      ),
    ).toThrow(/burst/);
    expect((await gateway.ask('/')).body).toBe('one');
  });

  test('keeps the state of what has not changed, and begins anew with what has', async () => {
    const limit = (count: number) => ({
      limit: { limits: { algorithm: 'fixedWindow' as const, limit: count, per: '1h' as const } },
    });
    await using gateway = await start(respond('one', limit(1)));
    expect((await gateway.ask('/')).status).toBe(200);
    gateway.gateway.reload(respond('two', limit(1)));
    expect((await gateway.ask('/')).status).toBe(429);
    gateway.gateway.reload(respond('two', limit(2)));
    expect((await gateway.ask('/')).status).toBe(200);
    expect(gateway.gateway.components.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'limiter a',
      'route a',
      'route (none)',
    ]);
  });

  test('goes on counting the requests of a route, whatever has changed about it', async () => {
    await using gateway = await start(respond('one'));
    await gateway.ask('/');
    gateway.gateway.reload(respond('two'));
    await gateway.ask('/');
    const route = gateway.gateway.components.find(({ kind, name }) => kind === 'route' && name === 'a');
    await expect.poll(() => route?.snapshot()).toMatchObject({ ok: 2, inFlight: 0 });
  });

  test('that is refused leaves nothing at work', async () => {
    await using never = await origin();
    await using checked = await origin();
    const pool = (url: string) => ({ servers: [url], health: { interval: 5 } });
    await using gateway = await start(respond('one'));
    const limit = { limits: { algorithm: 'fixedWindow' as const, limit: 1, per: '1s', burst: 2 } };
    const refused: GatewayConfig = {
      upstreams: { api: pool(never.url) },
      routes: [
        { name: 'proxied', match: { path: '/a' }, upstream: 'api' },
        { name: 'impossible', match: {}, limit, upstream: 'api' },
      ],
    };
    expect(() => gateway.gateway.reload(refused)).toThrow(/burst/);
    gateway.gateway.reload({
      upstreams: { api: pool(checked.url) },
      routes: [{ name: 'proxied', match: {}, upstream: 'api' }],
    });
    await expect.poll(() => checked.requests.length, { timeout: 10_000 }).toBeGreaterThan(20);
    expect(never.requests).toEqual([]);
  });

  test('tells what has changed, by place, and cannot move to another Redis', async () => {
    const told: unknown[] = [];
    const listener = (message: unknown): void => void told.push(message);
    subscribe('weir:gateway:reloaded', listener);
    await using gateway = await start(respond('one'));
    gateway.gateway.reload({ ...respond('two'), upstreams: { b: { servers: ['http://127.0.0.1:1'] } } });
    gateway.gateway.reload(respond('two', { name: 'renamed' }));
    unsubscribe('weir:gateway:reloaded', listener);
    expect(told).toEqual([
      { routes: 1, changed: 'drain, routes.a, upstreams.b' },
      { routes: 1, changed: 'routes.a, routes.renamed, upstreams.b' },
    ]);
    const moved = { ...respond('two'), redis: { url: 'redis://127.0.0.1:1' } };
    expect(() => gateway.gateway.reload(moved)).toThrow(/redis: cannot be changed by a reload/);
  });

  test('a hundred times under load fails no request', async () => {
    await using a = await origin((_req, res) => setImmediate(() => res.end('a')));
    await using b = await origin((_req, res) => setImmediate(() => res.end('b')));
    const config = (i: number): GatewayConfig => ({
      upstreams: { api: { servers: i % 2 === 0 ? [a.url, b.url] : [b.url] } },
      routes: [
        {
          match: {},
          upstream: 'api',
          headers: { response: { 'x-reload': String(i) } },
          limit: { limits: { limit: 1_000_000 + i, per: '1s' } },
        },
      ],
    });
    await using gateway = await start(config(0));
    let going = true;
    const statuses = new Map<number, number>();
    const client = async (): Promise<void> => {
      while (going) {
        const { status } = await gateway.ask('/');
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const clients = [client(), client(), client(), client()];
    for (let i = 1; i <= 100; i += 1) {
      gateway.gateway.reload(config(i));
      expect((await gateway.ask('/')).headers['x-reload']).toBe(String(i));
    }
    going = false;
    await Promise.all(clients);
    expect([...statuses.keys()]).toEqual([200]);
    expect(statuses.get(200)).toBeGreaterThan(100);
  });
});

describe('an end', () => {
  test('lets what is under way finish, takes nothing new, and leaves nothing behind', async () => {
    let finish: () => void = () => {};
    const arrived = Promise.withResolvers<void>();
    await using server = await origin((_req, res) => {
      finish = () => res.end('late');
      arrived.resolve();
    });
    const gateway = createGateway({
      upstreams: { api: { servers: [server.url] } },
      routes: [{ match: {}, upstream: 'api' }],
    });
    const { port } = await gateway.listen(0, '127.0.0.1');
    const slow = ask(port, '/');
    await arrived.promise;
    const closed = gateway.close();
    await expect(ask(port, '/')).rejects.toThrow(/ECONNREFUSED/);
    finish();
    expect((await slow).body).toBe('late');
    await closed;
    await gateway.close();
  });

  test('waits no longer than `drain` for what does not finish', async () => {
    const arrived = Promise.withResolvers<void>();
    await using server = await origin(() => arrived.resolve());
    const gateway = createGateway({
      drain: 20,
      upstreams: { api: { servers: [server.url] } },
      routes: [{ match: {}, upstream: 'api' }],
    });
    const { port } = await gateway.listen(0, '127.0.0.1');
    const hanging = ask(port, '/').catch((error: Error) => error);
    await arrived.promise;
    await gateway.close();
    await hanging;
  });
});

describe('what it shows of itself', () => {
  const config: GatewayConfig = {
    ...respond('one', { limit: { limits: { limit: 5, per: '1h' } } }),
    metrics: '/metrics',
    dashboard: { path: '/_weir/' },
  };

  test('is the same at /metrics and on the dashboard', async () => {
    await using gateway = await start(config);
    await gateway.ask('/');
    await gateway.ask('/');
    const metrics = await gateway.ask('/metrics');
    const [, counted] =
      /^weir_rate_limit_decisions_total\{limiter="a",outcome="allowed"\} (\d+)$/m.exec(metrics.body) ?? [];
    expect(counted).toBe('2');
    const headers = { host: `localhost:${gateway.port}` };
    expect((await gateway.ask('/_weir/', { headers })).body).toContain('<title>Weir</title>');
    const { components } = JSON.parse((await gateway.ask('/_weir/snapshot', { headers })).body);
    const sample = components[0].samples.find(
      (each: { labels: { outcome?: string } }) => each.labels.outcome === 'allowed',
    );
    expect(sample.value).toBe(2);
  });

  test('goes on through a reload', async () => {
    await using gateway = await start(config);
    gateway.gateway.reload({ ...config, routes: [{ ...config.routes[0]!, name: 'b' }] });
    expect((await gateway.ask('/metrics')).body).toContain('limiter="b"');
    expect((await gateway.ask('/metrics')).body).not.toContain('limiter="a"');
  });

  test('is not open to other machines without a password', async () => {
    const gateway = createGateway(config);
    for (const host of [undefined, '0.0.0.0', '::']) {
      await expect(gateway.listen(0, host)).rejects.toThrow(/dashboard\.auth: is needed/);
    }
    await gateway.close();
  });
});

test('it does not pretend to count in a Redis for which it was given no client', () => {
  const config = { ...respond('one'), redis: { url: 'redis://127.0.0.1:1' } };
  expect(() => createGateway(config)).toThrow(/redis: needs a client/);
  expect(() => validateConfig(config)).not.toThrow();
});

test('it may stand on a server of yours', async () => {
  const gateway = createGateway(respond('one'));
  const server = createServer(gateway.handler).on('upgrade', gateway.upgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  expect((await ask((server.address() as AddressInfo).port, '/')).body).toBe('one');
  await new Promise((resolve) => server.close(resolve));
  await gateway.close();
});
