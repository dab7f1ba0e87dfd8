import { afterEach, describe, expect, test, vi } from 'vitest';
import { type PurgeRequest, purge, type SharedResponseCache } from '../../src/http.ts';
import { RemoteError } from '../../src/index.ts';
import { FakeBus } from '../fakes.ts';
import { gate, type Stage, stage, until } from './stage.ts';

afterEach(() => void vi.useRealTimers());

const shared = ({ cache }: Stage): SharedResponseCache => cache as unknown as SharedResponseCache;
const entries = ({ cache }: Stage): unknown => cache.snapshot().entries;

/** Two processes that have stored the same pages, seen by the same host name. */
async function processes(names: readonly [string, string] = ['edge', 'edge']) {
  const bus = new FakeBus();
  const make = (name: string): Promise<Stage> =>
    stage(
      ({ method, url }) =>
        method === 'GET'
          ? {
              headers: {
                'cache-control': 'max-age=60',
                'cache-tag': `all, page:${url}`,
                'cache-groups': '"g"',
              },
            }
          : { headers: { 'cache-group-invalidation': '"g"' } },
      { name, bus },
    );
  const [one, other] = [await make(names[0]), await make(names[1])];
  const fill = async (): Promise<void> => {
    for (const made of [one, other])
      for (const path of ['/', '/a', '/a/b']) await made.get({ host: 'shop.example' }, { path });
  };
  await fill();
  return {
    bus,
    one,
    other,
    fill,
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    },
  };
}

describe('a response cache with a bus', () => {
  test.each<[PurgeRequest, number]>([
    [{ tag: 'page:/a' }, 2],
    [{ url: 'http://shop.example/a' }, 2],
    [{ prefix: 'http://shop.example/a' }, 1],
    [{ group: 'g', origin: 'http://shop.example' }, 0],
  ])('forgets elsewhere too what is purged: %j', async (request, left) => {
    await using made = await processes();
    expect(await purge(shared(made.one), request)).toBe(3 - left);
    expect([entries(made.one), entries(made.other)]).toEqual([left, left]);
    expect(made.other.cache.snapshot()).toMatchObject({ purged: 0, bus: 'up', busGaps: 0 });
  });

  test('is emptied by the clear of another one, and made stale by a soft purge', async () => {
    await using made = await processes();
    await purge([shared(made.one)], { tag: 'all', soft: true });
    expect(entries(made.other)).toBe(3);
    await made.other.get({ host: 'shop.example' }, { path: '/a' });
    expect(made.other.seen).toHaveLength(4);
    await shared(made.one).clear();
    expect(entries(made.other)).toBe(0);
  });

  test('hears what an unsafe request invalidates, by its address and by group', async () => {
    await using made = await processes();
    await made.one.get({ host: 'shop.example' }, { method: 'POST', path: '/form' });
    expect([entries(made.one), entries(made.other)]).toEqual([0, 0]);
    await made.fill();
    await made.one.get({ host: 'shop.example' }, { method: 'DELETE', path: '/a' });
    expect(entries(made.other)).toBe(0);
  });

  test('does not store what was on its way when another process purged it', async () => {
    const bus = new FakeBus();
    const released = gate();
    await using one = await stage(() => ({}), { bus });
    await using other = await stage(
      async (_request, _stage, count) => {
        if (count === 1) await released.passed;
        return { headers: { 'cache-control': 'max-age=60', 'cache-tag': 't' }, body: `${count}` };
      },
      { bus },
    );
    const early = other.get();
    await until(() => other.seen.length === 1);
    await purge(shared(one), { tag: 't' });
    released.open();
    expect((await early).body).toBe('1');
    expect((await other.get()).body).toBe('2');
  });

  test('hears only those of its name', async () => {
    await using made = await processes(['edge', 'inner']);
    await shared(made.one).clear();
    expect([entries(made.one), entries(made.other)]).toEqual([0, 3]);
  });

  test('says when the others could not be told, and they find out by the next message', async () => {
    await using made = await processes();
    await purge(shared(made.one), { tag: 'nothing' });
    made.bus.failing = new Error('closed');
    const error = await purge(shared(made.one), { tag: 'all' }).catch((given: unknown) => given);
    expect(error).toBeInstanceOf(RemoteError);
    await made.one.get({ host: 'shop.example' }, { method: 'DELETE', path: '/a' });
    const failed = made.one.cache.metrics().find(({ name }) => name === 'weir_cache_http_faults_total');
    // The purge, and the address and group of the DELETE.
    expect(failed).toMatchObject({ value: 3 });
    expect([entries(made.one), entries(made.other)]).toEqual([0, 3]);
    made.bus.failing = undefined;
    await purge(shared(made.one), { tag: 'nothing' });
    expect(entries(made.other)).toBe(0);
    expect(made.other.cache.snapshot()).toMatchObject({ busGaps: 1 });
  });

  test('drops all at a word that it does not know', async () => {
    await using made = await processes();
    const hear = made.bus.members[1]!.listener;
    hear.message({ origin: 'newer', seq: 1, what: { kind: 'purge', by: 'regex', soft: false } as never });
    expect(entries(made.other)).toBe(0);
    await made.fill();
    hear.message({ origin: 'newer', seq: 2, what: { kind: 'ban' } as never });
    expect(entries(made.other)).toBe(0);
  });

  test('drops all while the bus is down, and once more when it is up', async () => {
    await using made = await processes();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const hear = made.bus.members[1]!.listener;
    hear.down();
    expect(made.other.cache.snapshot()).toMatchObject({ bus: 'down' });
    vi.advanceTimersByTime(4_999);
    expect(entries(made.other)).toBe(3);
    vi.advanceTimersByTime(1);
    expect(entries(made.other)).toBe(0);
    await made.fill();
    hear.up();
    expect(entries(made.other)).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    const up = made.other.cache.metrics().find(({ name }) => name === 'weir_cache_http_bus_up');
    expect(up).toMatchObject({ value: 1 });
  });

  test('leaves it when it is closed', async () => {
    await using made = await processes();
    await shared(made.other).close();
    await shared(made.one).clear();
    expect(entries(made.other)).toBe(3);
  });
});
