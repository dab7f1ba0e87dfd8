import { Cluster, Redis } from 'ioredis';
import { Packr } from 'msgpackr';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRedis, type Server, Servers, until } from '../../../redis/test/servers.ts';
import { createCache, type RemoteStore } from '../../src/index.ts';
import { redisBus, redisTier, type Serializer } from '../../src/redis.ts';

const signal = new AbortController().signal;
const entry = (value: unknown, more: object = {}) => ({
  value,
  ttlMs: 60_000,
  graceMs: 60_000,
  loadMs: 7,
  tags: [] as string[],
  ...more,
});
const packr = new Packr({ structuredClone: true });
const msgpackr: Serializer = {
  name: 'msgpackr',
  binary: true,
  encode: (value) => packr.pack(value),
  decode: (data: Uint8Array) => packr.unpack(data),
};
let opened = 0;

/** What holds for a tier over any client. */
function tierContract(name: string, connect: () => Promise<object>, serializer?: Serializer): void {
  describe(name, () => {
    let client: object;
    let store: RemoteStore;
    let other: RemoteStore;
    beforeAll(async () => {
      client = await connect();
      opened += 1;
      const options = { timeout: '10s', prefix: `t${opened}:`, ...(serializer && { serializer }) } as const;
      store = redisTier(client, options).open('c');
      other = redisTier(client, options).open('c');
    });
    afterAll(() => store.close?.());
    const read = async (key: string) => (await store.read([key], signal))[0]!;
    const locks = () => store.locks!;

    test('gives back what was written, with its age', async () => {
      const values = [1, 'text ä\n{}', null, undefined, { a: [1, { b: '' }] }, '', 0, false, []];
      for (const [i, value] of values.entries()) {
        const { stamp } = await read(`v${i}`);
        expect(
          await store.write(`v${i}`, entry(value, { tags: i % 2 ? ['t', 'ü\n'] : [] }), stamp, signal),
        ).toBe(true);
        const found = (await other.read([`v${i}`], signal))[0]!.entry!;
        expect(found).toMatchObject({
          ttlMs: 60_000,
          graceMs: 60_000,
          loadMs: 7,
          tags: i % 2 ? ['t', 'ü\n'] : [],
        });
        expect(found.value).toEqual(value);
        expect(found.ageMs).toBeGreaterThanOrEqual(0);
        expect(found.ageMs).toBeLessThan(10_000);
      }
      const all = await store.read([...values.map((_, i) => `v${i}`), 'none'], signal);
      expect(all.map((each) => each.entry?.value)).toEqual([...values, undefined]);
      expect(all.at(-1)!.entry).toBeUndefined();
    });

    test('does not write what an invalidation has overtaken', async () => {
      for (const [i, what] of [
        { kind: 'delete', keys: ['x0'] } as const,
        { kind: 'expire', keys: ['x1'] } as const,
        { kind: 'tags', tags: ['a', 'b'] } as const,
        { kind: 'clear' } as const,
      ].entries()) {
        const key = `x${i}`;
        const { stamp } = await read(key);
        await other.invalidate(what, signal);
        expect(await store.write(key, entry('old', { tags: ['b'] }), stamp, signal)).toBe(false);
        expect((await read(key)).entry).toBeUndefined();
        const later = await read(key);
        expect(await store.write(key, entry('new', { tags: ['b'] }), later.stamp, signal)).toBe(true);
        expect((await read(key)).entry?.value).toBe('new');
      }
    });

    test('does not let a load write over what was set in the meantime', async () => {
      const { stamp } = await read('set');
      expect(await other.write('set', entry('set'), undefined, signal)).toBe(true);
      expect(await store.write('set', entry('loaded'), stamp, signal)).toBe(false);
      expect((await read('set')).entry?.value).toBe('set');
    });

    test('forgets by key, by tag and altogether, and makes stale', async () => {
      const write = (key: string, tags: string[]) =>
        store.write(key, entry(key, { tags }), undefined, signal);
      await Promise.all([write('a', ['t']), write('b', ['t', 'u']), write('c', []), write('d', ['u'])]);
      const left = async () =>
        (await store.read(['a', 'b', 'c', 'd'], signal)).map((each) => each.entry?.value).join('');
      expect(await left()).toBe('abcd');
      await other.invalidate({ kind: 'delete', keys: ['a', 'never'] }, signal);
      expect(await left()).toBe('bcd');
      await other.invalidate({ kind: 'tags', tags: ['t'] }, signal);
      expect(await left()).toBe('cd');
      await other.invalidate({ kind: 'expire', keys: ['c'] }, signal);
      const { entry: stale } = await read('c');
      expect(stale?.value).toBe('c');
      expect(stale!.ageMs).toBeGreaterThanOrEqual(stale!.ttlMs);
      await other.invalidate({ kind: 'clear' }, signal);
      expect(await left()).toBe('');
    });

    test('drops an expired entry that has no grace', async () => {
      await store.write('gone', entry(1, { graceMs: 0 }), undefined, signal);
      await store.invalidate({ kind: 'expire', keys: ['gone'] }, signal);
      expect((await read('gone')).entry).toBeUndefined();
      await store.write('short', entry(1, { ttlMs: 20.5, graceMs: 0 }), undefined, signal);
      await until(async () => (await read('short')).entry === undefined, 'the end of an entry');
    });

    test('gives a lock to one, and wakes the others when it ends', async () => {
      const first = await locks().read('l', 60_000, signal);
      expect(first).toMatchObject({ lock: 'held' });
      expect(await other.locks!.read('l', 60_000, signal)).toMatchObject({ lock: 'busy' });
      const woken = other.locks!.changed('l', signal);
      expect(await store.write('l', entry('v'), first.stamp, signal)).toBe(true);
      await woken;
      expect(await other.locks!.read('l', 60_000, signal)).toMatchObject({
        lock: 'free',
        entry: { value: 'v' },
      });

      const second = await locks().read('m', 60_000, signal);
      await locks().release('m', (await read('m')).stamp, signal);
      expect(await other.locks!.read('m', 60_000, signal)).toMatchObject({ lock: 'busy' });
      const released = other.locks!.changed('m', signal);
      await locks().release('m', second.stamp, signal);
      await released;
      const third = await other.locks!.read('m', 60_000, signal);
      expect(third).toMatchObject({ lock: 'held' });
      await store.invalidate({ kind: 'delete', keys: ['m'] }, signal);
      expect(await locks().read('m', 50, signal)).toMatchObject({ lock: 'held' });
      await other.locks!.changed('m', signal);
    });

    test('gives a lock for a stale entry, and stops waiting when told', async () => {
      await store.write('s', entry('old'), undefined, signal);
      await store.invalidate({ kind: 'expire', keys: ['s'] }, signal);
      expect(await locks().read('s', 60_000, signal)).toMatchObject({
        lock: 'held',
        entry: { value: 'old' },
      });
      const stop = new AbortController();
      const waiting = other.locks!.changed('s', stop.signal);
      stop.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      await expect(other.locks!.changed('s', stop.signal)).rejects.toThrow('enough');
    });
  });
}

describeRedis('redisTier on a server', () => {
  const servers = new Servers();
  let server: Server;
  const closing: (() => void)[] = [];
  beforeAll(async () => {
    server = await servers.single();
  });
  afterAll(() => {
    for (const close of closing) close();
  });
  const ioredis = async () => {
    const client = new Redis(server.port, '127.0.0.1');
    closing.push(() => client.disconnect());
    return client;
  };
  const nodeRedis = async () => {
    const client = createClient({ url: server.url });
    client.on('error', () => {});
    await client.connect();
    closing.push(() => client.destroy());
    return client;
  };
  tierContract('ioredis', ioredis);
  tierContract('node-redis', nodeRedis);
  tierContract('ioredis, msgpackr', ioredis, msgpackr);
  tierContract('node-redis, msgpackr', nodeRedis, msgpackr);

  test('keeps dates and maps with msgpackr', async () => {
    const store = redisTier(await ioredis(), { serializer: msgpackr, timeout: '10s' }).open('dates');
    const value = { at: new Date(5), map: new Map([['a', 1]]), bytes: Buffer.from([0, 10, 255]) };
    await store.write('k', entry(value), undefined, signal);
    expect((await store.read(['k'], signal))[0]!.entry!.value).toEqual(value);
  });

  test('takes what another format has written for a miss', async () => {
    const client = await ioredis();
    const [one, two] = [{ timeout: '10s' } as const, { serializer: msgpackr, timeout: '10s' } as const];
    const [before, after] = [redisTier(client, one).open('f'), redisTier(client, two).open('f')];
    await before.write('k', entry('v'), undefined, signal);
    const read = await after.locks!.read('k', 1000, signal);
    expect(read).toMatchObject({ lock: 'held' });
    expect(read.entry).toBeUndefined();
    expect(await after.write('k', entry('w'), read.stamp, signal)).toBe(true);
    expect((await before.read(['k'], signal))[0]!.entry).toBeUndefined();
  });

  test('leaves a time to live on every key, and keeps names apart and hidden', async () => {
    const client = await ioredis();
    await Promise.all([client.flushall()]);
    const cache = createCache({ name: 'users', ttl: '1m', remote: redisTier(client, { timeout: '10s' }) });
    await cache.getOrLoad('secret-key', () => 1, { tags: ['secret-tag'] });
    await cache.set('b', 2);
    await cache.delete('secret-key');
    await cache.invalidateTags('secret-tag');
    await cache.clear();
    await cache.getOrLoad('secret-key', () => 1);
    await cache.close();
    const keys = await client.keys('*');
    expect(keys.length).toBeGreaterThan(5);
    for (const key of keys) {
      expect(await client.pttl(key), key).toBeGreaterThan(0);
      expect(key).not.toMatch(/secret|users/);
    }
  });

  test('is asked once for a hit, and twice where there are tags', async () => {
    const client = await ioredis();
    const store = redisTier(client, { timeout: '10s' }).open('n');
    await store.write('plain', entry(1), undefined, signal);
    await store.write('tagged', entry(1, { tags: ['a', 'b'] }), undefined, signal);
    await store.read(['plain'], signal);
    const commands: unknown[] = [];
    const send = client.sendCommand;
    client.sendCommand = (command, ...rest) => {
      commands.push(command.name);
      return send.call(client, command, ...rest);
    };
    await store.read(['plain'], signal);
    expect(commands.splice(0)).toEqual(['mget']);
    await store.read(['tagged'], signal);
    expect(commands.splice(0)).toEqual(['mget', 'mget']);
    await store.locks!.read('plain', 1000, signal);
    expect(commands).toEqual(['mget']);
  });

  test('refuses options that make no sense', () => {
    const client = new Redis({ lazyConnect: true });
    closing.push(() => client.disconnect());
    for (const options of [
      { timeout: 0 },
      { shards: 0 },
      { rememberFor: '1s' },
      { serializer: { ...msgpackr, name: 'a b' } },
      { serializer: { name: 'x' } },
      { other: 1 },
    ]) {
      expect(() => redisTier(client, options as never)).toThrow(
        expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION' }),
      );
    }
    expect(() => redisBus(client, { timeout: -1 })).toThrow('`timeout`');
    expect(() => redisTier('redis://x')).toThrow(expect.objectContaining({ code: 'ERR_WEIR_REDIS_CLIENT' }));
  });
});

describeRedis('redisTier on a Cluster', () => {
  const servers = new Servers();
  let roots: { host: string; port: number }[];
  const clients: Cluster[] = [];
  beforeAll(async () => {
    roots = (await servers.cluster()).roots;
  }, 60_000);
  afterAll(() => {
    for (const client of clients) client.disconnect();
  });
  test('carries messages in order, whatever node they take', async () => {
    const client = new Cluster(roots);
    clients.push(client);
    const bus = redisBus(client, { timeout: '10s' });
    const heard: unknown[] = [];
    const member = bus.join('c', {
      message: ({ seq }) => void heard.push(seq),
      down: () => void heard.push('down'),
      up: () => void heard.push('up'),
    });
    await until(() => heard.includes('up'), 'the subscription');
    const all = Array.from({ length: 50 }, (_, i) => i + 1);
    await Promise.all(
      all.map((seq) => member.publish({ origin: 'o', seq, what: { kind: 'clear' } }, signal)),
    );
    await until(() => heard.length === 52, 'messages');
    expect(heard).toEqual(['down', 'up', ...all]);
    await member.leave();
  });

  tierContract('ioredis', async () => {
    const client = new Cluster(roots);
    clients.push(client);
    return client;
  });
});
