import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createGateway, type GatewayConfig } from '../src/index.ts';
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
    expect(gateway.gateway.components.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['limiter a']);
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

test('it may stand on a server of yours', async () => {
  const gateway = createGateway(respond('one'));
  const server = createServer(gateway.handler).on('upgrade', gateway.upgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  expect((await ask((server.address() as AddressInfo).port, '/')).body).toBe('one');
  await new Promise((resolve) => server.close(resolve));
  await gateway.close();
});
