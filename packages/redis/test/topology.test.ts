import { afterEach, beforeAll, expect, test } from 'vitest';
import { type RedisClient, redisClient, script, slotOf } from '../src/index.ts';
import { type Connected, clusters, sentinels } from './clients.ts';
import { Relay } from './relay.ts';
import { describeRedis, type Server, Servers, until } from './servers.ts';

const source = "return redis.call('INCR', KEYS[1])";
const count = script(source, { keys: 1 });
const careless = script(source, { keys: 1, idempotent: true });
const patient = { timeoutMs: 20_000 };

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0).reverse()) close();
  expect(unhandled).toEqual([]);
});

function viewOf({ client, close }: Connected, options?: Parameters<typeof redisClient>[1]): RedisClient {
  const view = redisClient(client, options);
  closing.push(close, () => view.close());
  return view;
}

/** What came of asking. */
interface Seen {
  ok: number;
  failed: number;
  longestMs: number;
}

const nothing = (): Seen => ({ ok: 0, failed: 0, longestMs: 0 });

/** Asks all the time. */
async function ask(view: RedisClient, key: string, seen: Seen, stop: () => boolean): Promise<void> {
  while (!stop()) {
    const started = performance.now();
    try {
      await view.run(count, [key], []);
      seen.ok += 1;
    } catch {
      seen.failed += 1;
    }
    seen.longestMs = Math.max(seen.longestMs, performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describeRedis('a Cluster', () => {
  const servers = new Servers();
  let cluster: Awaited<ReturnType<Servers['cluster']>>;
  beforeAll(async () => {
    cluster = await servers.cluster();
  }, 60_000);
  /** The master that serves a slot, of those that were masters at first. */
  const master = (key: string): Server => cluster.masters[Math.min(2, Math.floor(slotOf(key) / 5461))]!;

  test('knows slots as slotOf does', async () => {
    for (const key of [
      '123456789',
      'ключ',
      '{ключ}x',
      'foo{}{bar}',
      'foo{{bar}}zap',
      'a}b{c}',
      '\u{1f511}',
    ]) {
      expect(await cluster.nodes[0]!.admin('cluster', 'keyslot', key)).toBe(slotOf(key));
    }
  });

  test.each(clusters)(
    '%s: runs scripts on every node, loads them there, and hears messages',
    async (name, open) => {
      const view = viewOf(await open(cluster.roots));
      expect(view.topology).toBe('cluster');
      await Promise.all(cluster.masters.map((each) => each.admin('script', 'flush')));
      const keys = Array.from({ length: 40 }, (_, i) => `${name}-{${i}}`);
      expect(new Set(keys.map((key) => master(key).port)).size).toBe(3);
      for (let round = 1; round <= 2; round += 1) {
        const counts = await Promise.all(keys.map((key) => view.run(count, [key], [], patient)));
        expect(new Set(counts)).toEqual(new Set([round]));
      }
      const heard: string[] = [];
      const subscription = view.subscribe(name, {
        message: (text) => void heard.push(text),
        down: () => void heard.push('down'),
        up: () => void heard.push('up'),
      });
      await until(() => heard.includes('up'), 'the subscription');
      for (let i = 0; i < 3; i += 1) await view.command(['publish', name, String(i)], undefined, patient);
      await until(() => heard.length === 5, 'messages');
      // A command without a key goes to any node, so the order is not kept.
      expect(heard.toSorted()).toEqual(['0', '1', '2', 'down', 'up']);
      subscription.close();
    },
  );

  test('does not run again on another node what was under way when one was lost', async () => {
    const { Cluster } = await import('ioredis');
    const { port } = master('{1}');
    const relay = await new Relay(port).listen();
    closing.push(() => relay.close());
    const natMap = { [`127.0.0.1:${port}`]: { host: '127.0.0.1', port: relay.port } };
    const client = new Cluster([{ host: '127.0.0.1', port: cluster.masters[2]!.port }], { natMap });
    client.on('error', () => {});
    const view = viewOf({ client, close: () => client.disconnect() }, { failures: 1000 });
    await view.run(count, ['lost-{1}'], [], patient);
    await view.run(careless, ['careless-{1}'], [], patient);
    relay.swallow = true;
    const lost = view.run(count, ['lost-{1}'], [], patient).catch((error) => error.code);
    const resent = view.run(careless, ['careless-{1}'], [], patient).catch((error) => error.code);
    await until(async () => (await master('{1}').admin('get', 'careless-{1}')) === '2', 'both to have run');
    relay.cut();
    expect(await lost).toBe('ERR_WEIR_REDIS_UNAVAILABLE');
    expect(await resent).toBe(3);
    expect(await master('{1}').admin('get', 'lost-{1}')).toBe('2');
  });

  test('goes on by itself when a master is killed, each command within its deadline', async () => {
    const views: RedisClient[] = [];
    for (const [name, open] of clusters) {
      if (name.endsWith('5')) continue;
      views.push(viewOf(await open(cluster.roots), { timeout: 100, retryEvery: 200 }));
    }
    for (const view of views) await view.run(count, ['{1}'], [], patient);
    const victim = master('{1}');
    let done = false;
    const seen = views.map(nothing);
    const asking = views.map((view, i) => ask(view, `{1}:${i}`, seen[i]!, () => done));
    await victim.kill();
    await Promise.all(
      views.map((view) => until(() => view.run(count, ['{1}'], []), 'the replica to take over', 50)),
    );
    const failed = seen.map((each) => each.failed);
    const before = seen.map((each) => each.ok);
    await until(() => seen.every((each, i) => each.ok > before[i]!), 'each to go on');
    done = true;
    await Promise.all(asking);
    expect(failed.every((n) => n > 0)).toBe(true);
    for (const each of seen) {
      // The deadline is 100 ms; the rest is for a busy machine. A client left to itself takes seconds.
      expect(each.longestMs).toBeLessThan(1000);
    }
    await victim.restart();
  }, 60_000);
});

describeRedis('Sentinels', () => {
  const servers = new Servers();
  let group: Awaited<ReturnType<Servers['sentinel']>>;
  beforeAll(async () => {
    group = await servers.sentinel();
  }, 60_000);

  test('move all clients to the new master, and their subscriptions', async () => {
    const roots = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const views: RedisClient[] = [];
    for (const [, open] of sentinels)
      views.push(viewOf(await open(roots), { timeout: 100, retryEvery: 200 }));
    const heard: string[][] = views.map(() => []);
    for (const [i, view] of views.entries()) {
      expect(view.topology).toBe('sentinel');
      await view.run(count, [`k${i}`], [], patient);
      view.subscribe('news', {
        message: (text) => void heard[i]!.push(text),
        down: () => void heard[i]!.push('down'),
        up: () => void heard[i]!.push('up'),
      });
    }
    await until(() => heard.every((each) => each.includes('up')), 'the subscriptions');
    await group.master.admin('publish', 'news', 'a');
    await until(() => heard.every((each) => each.includes('a')), 'a message');
    let done = false;
    const seen = views.map(nothing);
    const asking = views.map((view, i) => ask(view, `asked-${i}`, seen[i]!, () => done));
    await group.master.kill();
    await Promise.all(views.map((view) => until(() => view.run(count, ['k'], []), 'the new master', 50)));
    await until(() => heard.every((each) => each.at(-1) === 'up'), 'the subscriptions to move');
    const before = seen.map((each) => each.ok);
    await until(() => seen.every((each, i) => each.ok > before[i]!), 'each to go on');
    done = true;
    await Promise.all(asking);
    for (const each of seen) {
      expect(each.longestMs).toBeLessThan(1000);
    }
    await group.replica.admin('publish', 'news', 'b');
    await until(() => heard.every((each) => each.at(-1) === 'b'), 'a message through the new master');
  }, 60_000);
});
