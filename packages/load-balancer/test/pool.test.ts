import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock, seededRandom } from '@weir/core/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createPool, type PoolEvent, roundRobin, type Upstream } from '../src/index.ts';
import { a, abc, b, c, lease, serve, served, shown, state } from './support.ts';

afterEach(() => void vi.useRealTimers());

describe('createPool', () => {
  test.each([
    ['a path', ['http://a/b']],
    ['no URL', ['somewhere']],
    ['another scheme', ['ftp://a']],
    ['credentials', ['http://me:secret@a']],
    ['a query', ['http://a/?b']],
    ['nothing', [undefined]],
    ['the same twice', ['http://a', 'http://a:80/']],
    ['no list', 'http://a'],
  ])('refuses an upstream with %s', (_what, upstreams) => {
    expect(() => createPool(upstreams as string[])).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option: 'upstreams' }),
    );
  });

  test.each([
    ['strategy', { strategy: 'round robin' }],
    ['slowStart', { slowStart: -1 }],
    ['panicThreshold', { panicThreshold: 1.1 }],
    ['zone', { zone: '' }],
    ['sticky', { sticky: 'lb' }],
    ['random', { random: 0.5 }],
    ['name', { name: '' }],
    ['stratgy', { stratgy: roundRobin() }],
  ])('refuses a bad `%s`', (option, options) => {
    expect(() => createPool(abc, options as never)).toThrow(expect.objectContaining({ option }));
  });

  test.each([
    ['weight', { weight: 1.5 }],
    ['weight', { weight: -1 }],
    ['weight', { weight: 65_536 }],
    ['zone', { zone: '' }],
    ['priority', { priority: 128 }],
    ['hostname', { hostname: '' }],
    ['wieght', { wieght: 1 }],
  ])('refuses an upstream with a bad `%s`', (option, settings) => {
    expect(() => createPool([{ url: a, ...settings }])).toThrow(expect.objectContaining({ option }));
  });

  test('gives its servers as they were described', () => {
    const pool = createPool([
      { url: 'https://A.example:443/', weight: 3, zone: 'z', priority: 2, hostname: 'n' },
    ]);
    expect(pool.upstreams[0]).toMatchObject({
      url: 'https://a.example',
      hostname: 'n',
      zone: 'z',
      priority: 2,
      weight: 3,
      effectiveWeight: 3,
      inFlight: 0,
      state: 'up',
      latencyMs: 0,
    });
  });

  test('keeps nothing of what it was given', () => {
    const given = { url: a, weight: 1 };
    const list = [given, b];
    const pool = createPool(list);
    given.weight = 7;
    list.pop();
    expect(pool.upstreams.map(({ weight }) => weight)).toEqual([1, 1]);
  });
});

describe('acquire', () => {
  test('an empty pool has nobody to offer, and says how often it was asked', () => {
    const pool = createPool([]);
    expect([pool.acquire(), pool.acquire({ exclude: [a] })]).toEqual([undefined, undefined]);
    expect(pool.snapshot()).toMatchObject({ refused: 2, panic: false });
  });

  test('an excluded upstream is not chosen, and none is left when all are excluded', () => {
    const pool = createPool(abc, { strategy: roundRobin() });
    expect(served(pool, 10, { exclude: [a, c] })).toEqual(Array(10).fill(b));
    expect(pool.acquire({ exclude: abc })).toBeUndefined();
  });

  test('asks `admit` about the chosen server only, and chooses again without one that it refuses', () => {
    const pool = createPool(abc, { strategy: roundRobin() });
    const asked: string[] = [];
    const admit = ({ url }: Upstream) => asked.push(url) > 0 && url === c;
    expect(serve(pool, 'ok', { admit })).toBe(c);
    expect(asked).toEqual([a, b, c]);
    asked.length = 0;
    expect(serve(pool, 'ok', { admit: ({ url }: Upstream) => asked.push(url) > 0 })).toBe(a);
    expect(asked).toEqual([a]);
  });

  test('never asks `admit` about an excluded server, nor twice about any, and hands out nothing that it refused', () => {
    const pool = createPool(abc, { random: seededRandom(1) });
    const admit = vi.fn((_upstream: Upstream) => false);
    expect(pool.acquire({ admit, exclude: [b] })).toBeUndefined();
    expect(
      admit.mock.calls
        .flat()
        .map(({ url }) => url)
        .toSorted(),
    ).toEqual([a, c]);
    expect(pool.upstreams.every(({ inFlight }) => inFlight === 0)).toBe(true);
  });

  test('what `admit` throws comes through, and nothing is counted', () => {
    const pool = createPool([a]);
    const admit = () => {
      throw new Error('mine');
    };
    expect(() => pool.acquire({ admit })).toThrow('mine');
    expect(pool.upstreams[0]?.inFlight).toBe(0);
  });
});

describe('a lease', () => {
  test('counts once, however often it is given back', () => {
    const pool = createPool([a]);
    const taken = lease(pool);
    expect(taken.upstream.inFlight).toBe(1);
    taken.release({ outcome: 'ok' });
    taken.release({ outcome: 'failure' });
    taken[Symbol.dispose]();
    expect(shown(pool, a)).toMatchObject({ inFlight: 0, succeeded: 1, failed: 0, ignored: 0 });
  });

  test('that is disposed of blames nobody', () => {
    const pool = createPool([a], { outliers: { consecutiveFailures: 1 } });
    {
      using taken = pool.acquire();
      expect(taken?.upstream.inFlight).toBe(1);
    }
    expect(shown(pool, a)).toMatchObject({ inFlight: 0, state: 'up', ignored: 1 });
  });

  test('released with "ignore", however often, never counts against its server', () => {
    const pool = createPool([a, b], {
      outliers: {
        consecutiveFailures: 1,
        successRate: { minimumRequests: 1, minimumServers: 2, deviations: 0.1 },
      },
    });
    for (let i = 0; i < 1_000; i += 1) serve(pool, 'ignore');
    expect(pool.upstreams.map(({ state }) => state)).toEqual(['up', 'up']);
    expect(shown(pool, a)).toMatchObject({ failed: 0, failuresInARow: 0, ejections: 0, ignored: 500 });
  });

  test('refuses an outcome that is none, and can still be given back', () => {
    const taken = lease(createPool([a]));
    expect(() => taken.release({ outcome: 'okay' as never })).toThrow(/outcome/);
    expect(taken.upstream.inFlight).toBe(1);
    taken.release({ outcome: 'ok' });
    expect(taken.upstream.inFlight).toBe(0);
  });

  test('outlives the membership of its server', () => {
    const pool = createPool([a, b]);
    const taken = lease(pool, { exclude: [b] });
    pool.remove(a);
    pool.add(a);
    taken.release({ outcome: 'failure' });
    expect(taken.upstream.inFlight).toBe(0);
    expect(shown(pool, a)).toMatchObject({ inFlight: 0, failed: 0 });
  });
});

describe('servers that come and go', () => {
  test('one that is added is used, one that is removed is not', () => {
    const pool = createPool([a], { strategy: roundRobin() });
    const added = pool.add({ url: b, weight: 2 });
    expect(added).toBe(pool.upstreams[1]);
    expect(new Set(served(pool, 4))).toEqual(new Set([a, b]));
    expect(pool.remove(a)).toBe(true);
    expect(served(pool, 3)).toEqual([b, b, b]);
    expect(pool.remove(a)).toBe(false);
    expect(pool.remove(b)).toBe(true);
    expect(pool.acquire()).toBeUndefined();
  });

  test('a duplicate is refused, and so is a malformed one', () => {
    const pool = createPool([a]);
    expect(() => pool.add(`${a}/`)).toThrow(expect.objectContaining({ option: 'upstream' }));
    expect(() => pool.add('nowhere')).toThrow(expect.objectContaining({ option: 'upstreams' }));
    expect(pool.upstreams).toHaveLength(1);
  });

  test('one that comes back under the same URL is a new one, without the old counters', () => {
    const pool = createPool([a, b], { outliers: { consecutiveFailures: 1 } });
    const held = lease(pool, { exclude: [b] });
    serve(pool, 'failure', { exclude: [b] });
    expect(state(pool, a)).toBe('ejected');
    const [old] = pool.upstreams;
    pool.remove(a);
    const fresh = pool.add(a);
    expect(fresh).not.toBe(old);
    expect(shown(pool, a)).toMatchObject({ state: 'up', inFlight: 0, picked: 0, failed: 0, ejections: 0 });
    held.release({ outcome: 'failure' });
    expect(shown(pool, a)).toMatchObject({ state: 'up', inFlight: 0, failed: 0 });
  });

  test('a weight can be changed, to 0 as well', () => {
    const pool = createPool([a, b]);
    pool.setWeight(a, 0);
    expect(served(pool, 3)).toEqual([b, b, b]);
    pool.setWeight(a, 3);
    for (let i = 0; i < 40; i += 1) lease(pool);
    expect(pool.upstreams.map(({ inFlight }) => inFlight)).toEqual([30, 10]);
    expect(() => pool.setWeight(a, -1)).toThrow(expect.objectContaining({ option: 'weight' }));
  });

  test.each(['setWeight', 'resume', 'drain'] as const)(
    '%s of a server that is not there is refused',
    async (what) => {
      const pool = createPool([a]);
      const call = async () => (what === 'setWeight' ? pool.setWeight(b, 1) : pool[what](b));
      await expect(call()).rejects.toMatchObject({ option: 'url' });
    },
  );
});

describe('draining', () => {
  test('a draining server is given nothing new, and is drained when its last request has ended', async () => {
    const pool = createPool([a, b], { strategy: roundRobin() });
    const held = [lease(pool, { exclude: [b] }), lease(pool, { exclude: [b] })];
    let drained = false;
    const draining = pool.drain(a).then(() => {
      drained = true;
    });
    expect(state(pool, a)).toBe('draining');
    expect(served(pool, 10)).toEqual(Array(10).fill(b));
    expect(pool.acquire({ exclude: [b] })).toBeUndefined();
    held[0]!.release({ outcome: 'ok' });
    await Promise.resolve();
    expect(drained).toBe(false);
    held[1]!.release({ outcome: 'failure' });
    await draining;
    expect(state(pool, a)).toBe('draining');
    pool.resume(a);
    expect(new Set(served(pool, 4))).toEqual(new Set([a, b]));
  });

  test('an idle server is drained at once, and twice is as good as once', async () => {
    const pool = createPool([a]);
    await Promise.all([pool.drain(a), pool.drain(a)]);
    expect(pool.acquire()).toBeUndefined();
  });

  test('failures of one that drains do not eject it', () => {
    const pool = createPool([a, b], { outliers: { consecutiveFailures: 1 } });
    const held = lease(pool, { exclude: [b] });
    void pool.drain(a);
    held.release({ outcome: 'failure' });
    expect(shown(pool, a)).toMatchObject({ state: 'draining', ejections: 0 });
  });

  test('waiting ends when time is up, while the server goes on draining', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const pool = createPool([a]);
    const held = lease(pool);
    const draining = pool.drain(a, { timeout: '10s' });
    vi.advanceTimersByTime(9_999);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1);
    await expect(draining).rejects.toMatchObject({ name: 'DrainError', code: 'ERR_WEIR_DRAIN_TIMEOUT' });
    expect(state(pool, a)).toBe('draining');
    const again = pool.drain(a);
    held.release({ outcome: 'ok' });
    await again;
    expect(vi.getTimerCount()).toBe(0);
  });

  test('waiting ends with a signal, whose listener is taken off', async () => {
    const pool = createPool([a]);
    const held = lease(pool);
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const draining = pool.drain(a, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(draining).rejects.toThrow('enough');
    expect(removed).toHaveBeenCalledOnce();
    await expect(pool.drain(a, { signal: controller.signal })).rejects.toThrow('enough');
    held.release({ outcome: 'ok' });
    await pool.drain(a, { signal: controller.signal });
  });

  test('waiting ends when the server is resumed, or the pool is closed', async () => {
    const pool = createPool([a]);
    lease(pool);
    const first = pool.drain(a);
    pool.resume(a);
    pool.resume(a);
    await expect(first).rejects.toMatchObject({ code: 'ERR_WEIR_DRAIN_RESUMED' });
    const second = pool.drain(a);
    pool.close();
    pool[Symbol.dispose]();
    await expect(second).rejects.toMatchObject({ code: 'ERR_WEIR_DRAIN_CLOSED' });
  });

  test('one that is removed while it drains is drained all the same', async () => {
    const pool = createPool([a, b]);
    const held = lease(pool, { exclude: [b] });
    const draining = pool.drain(a);
    pool.remove(a);
    held.release({ outcome: 'ok' });
    await draining;
  });

  test('refuses a bad option', async () => {
    const pool = createPool([a]);
    await expect(pool.drain(a, { timeout: 0 })).rejects.toMatchObject({ option: 'timeout' });
    await expect(pool.drain(a, { wait: 1 } as never)).rejects.toMatchObject({ option: 'wait' });
    expect(state(pool, a)).toBe('up');
  });
});

describe('listeners', () => {
  test('are told of all that happens, in order, with the server itself', async () => {
    const clock = new ManualClock();
    const pool = createPool([a, b], { clock, outliers: { consecutiveFailures: 1, ejectFor: '1s' } });
    const events: PoolEvent[] = [];
    const end = pool.subscribe((event) => void events.push(event));
    const added = pool.add(c);
    serve(pool, 'failure', { exclude: [b, c] });
    clock.advance('1s');
    serve(pool);
    const held = lease(pool, { exclude: [a, b] });
    const draining = pool.drain(c);
    held.release({ outcome: 'ok' });
    await draining;
    pool.resume(c);
    pool.remove(c);
    end();
    pool.remove(b);
    expect(events.map(({ type, upstream }) => [type, upstream.url])).toEqual([
      ['added', c],
      ['ejected', a],
      ['returned', a],
      ['draining', c],
      ['drained', c],
      ['resumed', c],
      ['removed', c],
    ]);
    expect(events.at(-1)?.upstream).toBe(added);
  });

  test('a listener that throws breaks nothing, and is heard of', async () => {
    const pool = createPool([a]);
    const heard = new Promise((resolve) => {
      const others = process.rawListeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const other of others) process.on('uncaughtException', other as never);
        resolve(error);
      });
    });
    const second = vi.fn();
    pool.subscribe(() => {
      throw new Error('mine');
    });
    pool.subscribe(second);
    pool.add(b);
    expect(second).toHaveBeenCalledOnce();
    expect(await heard).toMatchObject({ message: 'mine' });
  });

  test('diagnostics channels carry the same, and panic', () => {
    const messages: unknown[] = [];
    const listen = (message: unknown, name: string | symbol) => void messages.push([name, message]);
    const names = ['removed', 'panic'].map((name) => `weir:load-balancer:${name}`);
    for (const name of names) subscribe(name, listen);
    const pool = createPool([a, b], { name: 'api', outliers: { consecutiveFailures: 1, maxEjected: 1 } });
    for (let i = 0; i < 4; i += 1) serve(pool, 'failure');
    pool.remove(a);
    for (const name of names) unsubscribe(name, listen);
    expect(messages).toEqual([
      [names[1], { pool: 'api', panic: true }],
      [names[0], { pool: 'api', upstream: a }],
    ]);
  });
});

describe('as a component', () => {
  test('a pool tells its numbers', () => {
    const clock = new ManualClock();
    const pool = createPool([a, { url: b, weight: 4, zone: 'z' }], {
      name: 'api',
      clock,
      outliers: { consecutiveFailures: 1 },
    });
    const only = { exclude: [b] };
    serve(pool, 'ok', only);
    serve(pool, 'ignore', only);
    const held = lease(pool, only);
    serve(pool, 'failure', only);
    pool.acquire({ exclude: [a, b] });
    const values = Object.fromEntries(
      pool
        .metrics()
        .map(({ name, labels, ...sample }) => [
          [name.replace('weir_load_balancer_', ''), labels.upstream, labels.outcome ?? labels.result]
            .filter((part) => part !== undefined)
            .join(' '),
          'value' in sample ? sample.value : undefined,
        ]),
    );
    expect(values).toMatchObject({
      refused_total: 1,
      panic: 0,
      [`requests_total ${a} ok`]: 1,
      [`requests_total ${a} failure`]: 1,
      [`requests_total ${a} ignore`]: 1,
      [`in_flight ${a}`]: 1,
      [`up ${a}`]: 0,
      [`up ${b}`]: 1,
      [`effective_weight ${b}`]: 4,
      [`latency_seconds ${b}`]: 0,
      [`ejections_total ${a}`]: 1,
      [`checks_total ${a} passed`]: 0,
      [`checks_total ${a} failed`]: 0,
    });
    expect(pool.metrics().every(({ labels }) => labels.pool === 'api')).toBe(true);
    held.release({ outcome: 'ok' });
    clock.advance('4s');
    expect(shown(pool, a)).toMatchObject({ state: 'ejected', ejectedForMs: 6_000, picked: 4 });
    expect(pool.snapshot()).toMatchObject({
      strategy: expect.any(String),
      zone: null,
      refused: 1,
      sticky: false,
    });
    expect(JSON.parse(JSON.stringify(pool.snapshot()))).toEqual(pool.snapshot());
  });

  test('an operator may drain, resume, remove and re-weight, and is refused what makes no sense', async () => {
    const pool = createPool([a, b]);
    const held = lease(pool, { exclude: [b] });
    await pool.actions!.drain!(a);
    expect(state(pool, a)).toBe('draining');
    await pool.actions!.resume!(a);
    expect(state(pool, a)).toBe('up');
    await pool.actions!.setWeight!({ url: a, weight: 5 });
    expect(pool.upstreams[0]?.weight).toBe(5);
    await pool.actions!.remove!(a);
    expect(pool.upstreams).toHaveLength(1);
    held.release({ outcome: 'ok' });
    for (const [action, argument] of [
      ['drain', c],
      ['drain', undefined],
      ['resume', 7],
      ['remove', a],
      ['setWeight', undefined],
      ['setWeight', { url: b, weight: 'heavy' }],
    ] as const) {
      expect(() => pool.actions![action]!(argument)).toThrow(
        expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION' }),
      );
    }
  });

  test('the main entry needs nothing of Node', async () => {
    const { globSync, readFileSync } = await import('node:fs');
    const cwd = new URL('../src', import.meta.url).pathname;
    const users = globSync('**/*.ts', { cwd }).filter((file) =>
      /from 'node:/.test(readFileSync(`${cwd}/${file}`, 'utf8')),
    );
    expect(users.toSorted()).toEqual(['dns.ts', 'tcp.ts']);
    const importers = globSync('**/*.ts', { cwd }).filter((file) =>
      /from '\.\.?\/(dns|tcp)\.ts'/.test(readFileSync(`${cwd}/${file}`, 'utf8')),
    );
    expect(importers).toEqual([]);
  });
});
