import { beforeAll, expect, test } from 'vitest';
import { describeRedis, Servers } from '../../../redis/test/servers.ts';
import type { GatewayConfig } from '../../src/index.ts';
import { GatewayProcess, seriesOf } from './support/gateway-process.ts';
import { UpstreamProcess } from './support/upstream-process.ts';

describeRedis('a limit that is tried out in shadow mode', () => {
  const servers = new Servers();
  let upstream: UpstreamProcess;
  let gateways: GatewayProcess[];
  let config: (shadow: boolean) => GatewayConfig;
  beforeAll(async () => {
    const [redis, started] = await Promise.all([servers.single(), UpstreamProcess.start()]);
    upstream = started;
    const limits = { algorithm: 'slidingLog', limit: 10, per: '1h' } as const;
    config = (shadow) => ({
      redis: { url: redis.url, timeout: '20s' },
      upstreams: { api: { servers: [upstream.url] } },
      routes: [{ name: 'orders', match: {}, limit: { limits, shadow }, upstream: 'api' }],
    });
    gateways = await GatewayProcess.several(2, config(true));
  }, 60_000);
  const ask = (i: number) => gateways[i % 2]!.ask('/');
  const decisions = (outcome: string) =>
    seriesOf('weir_rate_limit_decisions_total', { limiter: 'orders', outcome });

  test('refuses nobody, and counts whom it would have refused', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(i)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 60 }, () => 200));
    expect(answers.some(({ headers }) => headers.ratelimit !== undefined)).toBe(false);
    expect(await upstream.requests()).toBe(60);
    const counted = { allowed: 0, refused: 0, shadow_refused: 0 };
    for (const gateway of gateways) {
      const [metrics, { samples, level, why }] = [
        await gateway.metrics(),
        await gateway.shown('limiter', 'orders'),
      ];
      for (const outcome of ['allowed', 'refused', 'shadow_refused'] as const) {
        const count = metrics.get(decisions(outcome));
        expect(samples.find(({ labels }) => labels.outcome === outcome)?.value).toBe(count);
        counted[outcome] += count ?? Number.NaN;
      }
      expect([level, why]).toEqual(['warn', 'would refuse']);
    }
    expect(counted).toEqual({ allowed: 10, refused: 0, shadow_refused: 50 });
  });

  test('is then put in force without a restart, and goes on counting', async () => {
    for (const gateway of gateways) expect(await gateway.reload(config(false))).toContain('weir: reloaded');
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => ask(i)));
    expect(answers.map(({ status }) => status)).toEqual([429, 429, 429, 429, 429, 429]);
    expect(await upstream.requests()).toBe(60);
  });
});
