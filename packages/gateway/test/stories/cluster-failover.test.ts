import { beforeAll, expect, test } from 'vitest';
import { describeRedis, type Server, Servers, until } from '../../../redis/test/servers.ts';
import { GatewayProcess } from './support/gateway-process.ts';
import { Load, slowest } from './support/load.ts';

/** What a decision waits for Redis at most. Left alone, a client takes seconds. */
const deadlineMs = 100;
/** How much less lucky a request may be on a busy machine than those that are not limited. */
const slackMs = 300;
const limit = 100_000;

describeRedis('two gateways on a Redis Cluster of which a master is killed', () => {
  const servers = new Servers();
  let masters: readonly Server[];
  let gateways: GatewayProcess[];
  beforeAll(async () => {
    const cluster = await servers.cluster();
    masters = cluster.masters;
    gateways = await GatewayProcess.several(2, {
      redis: {
        cluster: cluster.roots.map(({ host, port }) => `redis://${host}:${port}`),
        timeout: deadlineMs,
      },
      // Each client is a key of its own, so that there are some on every master.
      trustedProxies: ['127.0.0.1'],
      upstreams: {},
      routes: [
        {
          name: 'orders',
          match: { path: '/orders' },
          limit: { limits: { algorithm: 'fixedWindow', limit, per: '30d' }, onStoreError: 'closed' },
          respond: { status: 200, body: 'ok' },
        },
        { name: 'unlimited', match: { path: '/unlimited' }, respond: { status: 200, body: 'ok' } },
      ],
    });
  }, 60_000);
  const clients = Array.from({ length: 30 }, (_, i) => `203.0.113.${i + 1}`);
  const ask = (i: number, client: string) =>
    gateways[i % 2]!.ask('/orders', { headers: { 'x-forwarded-for': client } });
  /** How many units a client has left, by a gateway that Redis answers. */
  const left = async (i: number, client: string): Promise<number> => {
    const { status, headers } = await ask(i, client);
    const [, remaining] = /;r=(\d+)/.exec(String(headers.ratelimit)) ?? [];
    return status === 200 ? Number(remaining) : Number.NaN;
  };
  /** Waits until every client is counted by both, together: each request takes one unit of what the other has left. */
  const allShared = async (): Promise<void> => {
    await Promise.all(
      clients.map((client) =>
        until(
          async () => {
            const [one, two, three] = [await left(0, client), await left(1, client), await left(0, client)];
            return two === one - 1 && three === two - 1;
          },
          `the counts of ${client} to be shared`,
          100,
        ),
      ),
    );
  };

  test('answers in time all along, and counts with the other one again when a replica has taken over', async () => {
    await allShared();
    const load = new Load(150, async (i) => {
      const client = clients[i % clients.length]!;
      return { client, ...(await ask(i + Math.floor(i / clients.length), client)) };
    });
    const unlimited = new Load(150, (i) => gateways[i % 2]!.ask('/unlimited'));
    await load.lasts(500);
    await masters[0]!.kill();
    const killedAt = performance.now();
    await load.lasts(2_000);
    await allShared();
    const shots = await load.stop();
    const usual = slowest(await unlimited.stop());

    expect(shots.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(slowest(shots)).toBeLessThan(usual + deadlineMs + slackMs);
    // 503 is what `onStoreError: 'closed'` says; nothing else came of it.
    expect(new Set(shots.map(({ result }) => result?.status))).toEqual(new Set([200, 503]));
    const after = shots.filter(({ startedAt }) => startedAt > killedAt);
    expect(after.length).toBeGreaterThan(200);
    expect(after.filter(({ result }) => result?.status === 503).length).toBeGreaterThan(10);
    for (const gateway of gateways) expect(gateway.alive).toBe(true);
  }, 90_000);

  test('leaves no rejection unhandled: both are still there, have complained of nothing, and end when they are told to', async () => {
    for (const gateway of gateways) {
      expect(await gateway.end()).toBe(0);
      expect(gateway.complaints).toBe('');
    }
  });
});
