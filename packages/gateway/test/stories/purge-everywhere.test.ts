import { beforeAll, expect, test } from 'vitest';
import { describeRedis, type Server, Servers, until } from '../../../redis/test/servers.ts';
import { GatewayProcess } from './support/gateway-process.ts';
import { type Said, UpstreamProcess } from './support/upstream-process.ts';

describeRedis('a page in the caches of three processes', () => {
  const servers = new Servers();
  /** They stand for the same site. */
  const headers = { host: 'shop.example' };
  let redis: Server;
  let origin: UpstreamProcess;
  let gateways: GatewayProcess[];
  beforeAll(async () => {
    [redis, origin] = await Promise.all([servers.single(), UpstreamProcess.start()]);
    gateways = await GatewayProcess.several(3, {
      redis: { url: redis.url, timeout: '5s' },
      upstreams: { api: { servers: [origin.url] } },
      routes: [{ name: 'pages', match: {}, cache: {}, upstream: 'api' }],
    });
    await connected();
  }, 60_000);

  const connected = () =>
    until(async () => {
      const shown = await Promise.all(gateways.map((each) => each.shown('cache', 'pages')));
      return shown.every(({ state }) => state.bus === 'up');
    }, 'the bus');
  const values = async (): Promise<(string | null)[]> => {
    const answers = await Promise.all(gateways.map((each) => each.ask('/page', { headers })));
    return answers.map(({ body }) => (JSON.parse(body) as Said).value);
  };
  const publish = (value: string): Promise<void> =>
    origin.behave({ value, headers: { 'cache-control': 'max-age=3600', 'cache-tag': 'news' } });
  /** Everybody has it, and keeps it. */
  const cached = async (value: string): Promise<void> => {
    await publish(value);
    await purge();
    await everywhere(value);
    const before = await origin.requests();
    expect(await values()).toEqual([value, value, value]);
    expect(await origin.requests()).toBe(before);
  };
  const purge = async (): Promise<void> =>
    expect(await gateways[0]!.act('cache', 'pages', 'purge', JSON.stringify({ tag: 'news' }))).toBe(204);
  /** How long it takes until all serve this, ms; without the longest that a look at them took, on a busy machine. */
  const everywhere = async (value: string): Promise<number> => {
    const from = performance.now();
    let longest = 0;
    await until(
      async () => {
        const began = performance.now();
        const seen = await values();
        longest = Math.max(longest, performance.now() - began);
        return seen.every((each) => each === value);
      },
      `${value} everywhere`,
      5,
    );
    return performance.now() - from - longest;
  };
  const gaps = async (): Promise<number[]> => {
    const shown = await Promise.all(gateways.map((each) => each.shown('cache', 'pages')));
    return shown.map(({ state }) => state.busGaps);
  };

  test('is gone from all of them within a second when it is purged by tag in one', async () => {
    for (let round = 0; round < 5; round += 1) {
      await cached(`old ${round}`);
      const before = await gaps();
      await publish(`new ${round}`);
      await purge();
      expect(await everywhere(`new ${round}`)).toBeLessThan(1_000);
      // By the message, and not because all was dropped.
      expect(await gaps()).toEqual(before);
    }
  });

  test('is gone within a second also if the connections by which they would have heard of it are cut', async () => {
    for (let round = 0; round < 3; round += 1) {
      await cached(`kept ${round}`);
      const before = await gaps();
      await publish(`cut ${round}`);
      expect(await redis.admin('client', 'kill', 'type', 'pubsub')).toBe(3);
      // Whatever is said now is heard by nobody.
      await purge();
      expect(await everywhere(`cut ${round}`)).toBeLessThan(1_000);
      await connected();
      // Each has dropped what it had, for it could not know what it had missed.
      expect((await gaps()).map((count, i) => count > before[i]!)).toEqual([true, true, true]);
    }
  }, 30_000);

  test('is gone as well when one of them passes on a request that changes it', async () => {
    await cached('before the edit');
    await origin.behave({
      value: 'after the edit',
      headers: { 'cache-control': 'max-age=3600', 'cache-tag': 'news' },
    });
    expect((await gateways[2]!.ask('/page', { method: 'PUT', body: 'edited', headers })).status).toBe(200);
    expect(await everywhere('after the edit')).toBeLessThan(1_000);
  });
});
