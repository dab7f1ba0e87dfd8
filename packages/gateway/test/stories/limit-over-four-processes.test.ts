import { beforeAll, expect, test } from 'vitest';
import { describeRedis, Servers } from '../../../redis/test/servers.ts';
import { apiKey, GatewayProcess } from './support/gateway-process.ts';
import { pause } from './support/load.ts';
import { UpstreamProcess } from './support/upstream-process.ts';

describeRedis('a limit for each API key, over four processes that share a Redis', () => {
  const servers = new Servers();
  const [acme, zeta] = [apiKey('acme'), apiKey('zeta')];
  let upstream: UpstreamProcess;
  let gateways: GatewayProcess[];
  beforeAll(async () => {
    const [redis, started] = await Promise.all([servers.single(), UpstreamProcess.start()]);
    upstream = started;
    const route = { auth: 'partners', upstream: 'api' };
    gateways = await GatewayProcess.several(4, {
      // A machine that is busy with other things must not make the Redis seem to be gone.
      redis: { url: redis.url, timeout: '20s' },
      upstreams: { api: { servers: [upstream.url] } },
      auth: { partners: { type: 'api-key', keys: [acme.kept, zeta.kept] } },
      routes: [
        {
          ...route,
          name: 'orders',
          match: { path: '/orders' },
          limit: { limits: { algorithm: 'slidingLog', limit: 100, per: '1h' }, onStoreError: 'closed' },
        },
        {
          ...route,
          name: 'reports',
          match: { path: '/reports' },
          limit: { limits: { algorithm: 'tokenBucket', limit: 1, per: '3s' }, onStoreError: 'closed' },
        },
      ],
    });
  }, 60_000);
  const ask = (i: number, path: string, key: string) =>
    gateways[i % gateways.length]!.ask(path, { headers: { 'x-api-key': key } });

  test('admits exactly as many as it says, and tells each how many are left', async () => {
    let sent = 0;
    const left: number[] = [];
    const refused: number[] = [];
    const client = async (): Promise<void> => {
      while (sent < 400) {
        const answer = await ask(sent++, '/orders', acme.key);
        const { ratelimit, 'ratelimit-policy': policy } = answer.headers;
        expect(policy).toMatch(/;q=100;w=3600/);
        const [, remaining] = /;r=(\d+);t=\d+/.exec(String(ratelimit)) ?? [];
        if (answer.status === 200) left.push(Number(remaining));
        else {
          expect([answer.status, remaining]).toEqual([429, '0']);
          refused.push(Number(answer.headers['retry-after']));
        }
      }
    };
    await Promise.all(Array.from({ length: 32 }, client));
    expect(await upstream.requests('/orders')).toBe(100);
    // Each number once: no two processes have given out the same place.
    expect(left.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(refused).toHaveLength(300);
    expect(refused.every((seconds) => seconds > 3500 && seconds <= 3600)).toBe(true);
  });

  test('is of one key, and not of those who have none', async () => {
    const other = await ask(0, '/orders', zeta.key);
    expect([other.status, other.headers.ratelimit]).toEqual([200, expect.stringMatching(/;r=99;/)]);
    expect((await ask(1, '/orders', 'key-of-nobody')).status).toBe(401);
  });

  test('says when to come back, and admits who does, in whichever process', async () => {
    expect((await ask(0, '/reports', acme.key)).status).toBe(200);
    const refusal = await ask(1, '/reports', acme.key);
    const toldAt = performance.now();
    const seconds = Number(refusal.headers['retry-after']);
    expect([refusal.status, JSON.parse(refusal.body).status]).toEqual([429, 429]);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(3);
    // Not before: the units come back in three seconds, and this is a moment later.
    expect((await ask(2, '/reports', acme.key)).status).toBe(429);
    await pause(toldAt + seconds * 1000 - performance.now());
    expect((await ask(3, '/reports', acme.key)).status).toBe(200);
    expect((await ask(0, '/reports', acme.key)).status).toBe(429);
  });
});
