import { beforeAll, expect, test } from 'vitest';
import { describeRedis, type Server, Servers, until } from '../../../redis/test/servers.ts';
import { GatewayProcess, seriesOf } from './support/gateway-process.ts';
import { Load, slowest } from './support/load.ts';
import { UpstreamProcess } from './support/upstream-process.ts';

/** What a decision waits for Redis at most. Left alone, a client takes seconds. */
const deadlineMs = 100;
/** How much less lucky a request may be on a busy machine than those that are not limited. */
const slackMs = 300;

describeRedis('a gateway whose Redis dies', () => {
  const servers = new Servers();
  let redis: Server;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    const [server, upstream] = await Promise.all([servers.single(), UpstreamProcess.start()]);
    redis = server;
    const route = (onStoreError: 'open' | 'closed' | 'local', limit: number) => ({
      name: onStoreError,
      match: { path: `/${onStoreError}` },
      limit: { limits: { algorithm: 'slidingLog' as const, limit, per: '1h' }, onStoreError },
      upstream: 'api',
    });
    gateway = await GatewayProcess.start({
      redis: { url: redis.url, timeout: deadlineMs },
      upstreams: { api: { servers: [upstream.url] } },
      routes: [
        ...[route('open', 10_000), route('closed', 10_000), route('local', 40)],
        { name: 'unlimited', match: {}, upstream: 'api' },
      ],
    });
  }, 60_000);
  const paths = ['/open', '/closed', '/local'];
  /** 60 requests a second, to each of the routes in turn, for a while; and what the slowest of others takes. */
  const hit = async (ms: number) => {
    const load = new Load(60, async (i) => {
      const path = paths[i % 3]!;
      return { path, ...(await gateway.ask(path)) };
    });
    const unlimited = new Load(60, () => gateway.ask('/unlimited'));
    await load.lasts(ms);
    return { shots: await load.stop(), usual: slowest(await unlimited.stop()) };
  };
  const statuses = (shots: Awaited<ReturnType<typeof hit>>['shots'], path: string): number[] =>
    shots.flatMap(({ result }) => (result?.path === path ? [result.status] : []));
  const redisLines = () => gateway.log.filter(({ breaker }) => breaker === 'redis').map(({ event }) => event);
  const decidedByRedis = () =>
    until(async () => (await gateway.ask('/closed')).status === 200, 'Redis to decide');

  // The first outage ends a connection, the second leaves it open and silent.
  const outages = [
    ['is killed', () => redis.kill(), () => redis.restart()],
    ['hangs', async () => redis.freeze(), async () => redis.thaw()],
  ] as const;
  test.each(outages)(
    'goes on as it was told while it %s, says so once, and recovers by itself',
    async (_, fail, mend) => {
      await decidedByRedis();
      const linesBefore = redisLines().length;
      const [localBefore, errorsBefore] = [await admittedLocally(), await storeErrors()];
      await fail();
      const { shots, usual } = await hit(2_500);

      expect(shots.filter(({ error }) => error !== undefined)).toEqual([]);
      expect(slowest(shots)).toBeLessThan(usual + deadlineMs + slackMs);
      expect(new Set(statuses(shots, '/open'))).toEqual(new Set([200]));
      expect(new Set(statuses(shots, '/closed'))).toEqual(new Set([503]));
      // What this process has admitted itself since it began counts on.
      const local = statuses(shots, '/local');
      expect(local.length).toBeGreaterThan(40);
      expect(local.filter((status) => status === 200).length + localBefore).toBe(40);
      expect(new Set(local)).toEqual(new Set(localBefore < 40 ? [200, 429] : [429]));
      expect((await storeErrors()) - errorsBefore).toBeGreaterThan(100);
      expect(await gateway.shown('redis', 'redis')).toMatchObject({ level: 'bad', why: 'not answering' });

      // Of all those decisions without Redis, and the probes now and then, one line.
      expect(redisLines().slice(linesBefore)).toEqual(['circuit-breaker:opened']);
      await mend();
      await decidedByRedis();
      await until(() => redisLines().length === linesBefore + 2, 'the line that says so');
      expect(redisLines().slice(linesBefore)).toEqual(['circuit-breaker:opened', 'circuit-breaker:closed']);
      expect(gateway.alive).toBe(true);
    },
    30_000,
  );

  const admittedLocally = async (): Promise<number> => sum(await gateway.metrics(), 'local', 'allowed');
  const storeErrors = async (): Promise<number> => {
    const metrics = await gateway.metrics();
    return paths.reduce(
      (total, path) =>
        total +
        (metrics.get(seriesOf('weir_rate_limit_store_errors_total', { limiter: path.slice(1) })) ?? 0),
      0,
    );
  };
  const sum = (metrics: ReadonlyMap<string, number>, limiter: string, outcome: string): number =>
    metrics.get(seriesOf('weir_rate_limit_decisions_total', { limiter, outcome })) ?? 0;

  test('has complained of nothing else, and ends when it is told to', async () => {
    expect(await gateway.end()).toBe(0);
    expect(gateway.complaints).toBe('');
  });
});
