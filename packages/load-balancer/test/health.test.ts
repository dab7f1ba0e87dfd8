import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { ManualClock, seededRandom } from '@weir/core/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Check,
  createPool,
  type HealthOptions,
  httpCheck,
  type Pool,
  type PoolEventType,
  type PoolOptions,
  roundRobin,
  type Upstream,
} from '../src/index.ts';
import { judge } from '../src/internal/health-checks.ts';
import { Member } from '../src/internal/member.ts';
import { tcpCheck } from '../src/tcp.ts';
import { a, abc, b, c, serve, served, shown, state } from './support.ts';

describe('createPool', () => {
  const check: Check = async () => {};
  test.each([
    ['health.check', {}],
    ['health.check', { check: '/healthz' }],
    ['health.interval', { check, interval: 0 }],
    ['health.timeout', { check, timeout: '11m' }],
    ['health.jitter', { check, jitter: 1.5 }],
    ['health.rise', { check, rise: 0 }],
    ['health.fall', { check, fall: 101 }],
    ['health.initially', { check, initially: 'unknown' }],
    ['path', { check, path: '/' }],
  ])('refuses a bad `%s`', (option, health) => {
    expect(() => createPool(abc, { health: health as never })).toThrow(expect.objectContaining({ option }));
  });
});

describe('what checks say', () => {
  const rules = { rise: 2, fall: 3 };
  const after = (...results: readonly boolean[]): boolean[] => {
    const member = new Member({ url: a, weight: 1, zone: undefined, priority: 0, hostname: undefined });
    return results.map((well) => {
      judge(member, well ? '' : 'dead', rules);
      return !member.down;
    });
  };

  test('takes a server down after that many failures in a row, and up after that many successes in a row', () => {
    const [x, o] = [false, true];
    expect(after(x, x, x)).toEqual([o, o, x]);
    expect(after(x, x, o, x, x, x)).toEqual([o, o, o, o, o, x]);
    expect(after(x, x, x, o, x, o, o)).toEqual([o, o, x, x, x, x, o]);
    expect(after(x, x, x, o, o, x, x, x)).toEqual([o, o, x, x, o, o, o, x]);
  });
});

describe('checks by the clock', () => {
  const pools: Pool[] = [];
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.close();
    vi.useRealTimers();
  });

  /** A pool whose servers are dead as long as they are in `dead`. */
  const checked = (
    health: Partial<HealthOptions> = {},
    options: PoolOptions = {},
    urls: readonly string[] = abc,
  ) => {
    const dead = new Set<string>();
    const checks: string[] = [];
    const check = vi.fn(async ({ url }: Upstream) => {
      checks.push(url);
      if (dead.has(url)) throw new Error('dead');
    });
    const pool = createPool(urls, {
      strategy: roundRobin(),
      health: { check, interval: '1s', jitter: 0, ...health },
      random: seededRandom(1),
      panicThreshold: 0,
      ...options,
    });
    pools.push(pool);
    return { pool, dead, checks, check, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
  };

  test('a server that is dead goes down after `fall` checks and is up again after `rise`', async () => {
    const { pool, dead, pass } = checked({ rise: 2, fall: 3 }, { random: () => 0 });
    dead.add(b);
    await pass(1_999);
    expect(state(pool, b)).toBe('up');
    await pass(1);
    expect(state(pool, b)).toBe('down');
    expect(new Set(served(pool, 9))).toEqual(new Set([a, c]));
    expect(shown(pool, b)).toMatchObject({ checkError: 'dead', checksFailed: 3, checksPassed: 0 });
    dead.clear();
    await pass(1_000);
    expect(state(pool, b)).toBe('down');
    await pass(1_000);
    expect(state(pool, b)).toBe('up');
    expect(shown(pool, b)).toMatchObject({ checkError: '', checksPassed: 2 });
    expect(served(pool, 3)).toContain(b);
  });

  test('tells listeners, and begins a slow start', async () => {
    const clock = new ManualClock();
    const { pool, dead, pass } = checked({ rise: 1, fall: 1 }, { slowStart: '10s', clock });
    const events: PoolEventType[] = [];
    pool.subscribe(({ type }) => void events.push(type));
    dead.add(b);
    await pass(2_000);
    dead.clear();
    await pass(1_000);
    expect(events).toEqual(['down', 'up']);
    expect(pool.upstreams[1]?.effectiveWeight).toBe(0.1);
  });

  test('waits for checks no longer than `timeout`, and tells them by a signal', async () => {
    const signals: AbortSignal[] = [];
    const check: Check = (_upstream, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const { pool, pass } = checked({ check, timeout: 500, fall: 1 }, {}, [a]);
    await pass(1_499);
    expect(signals).toHaveLength(1);
    await pass(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(shown(pool, a)).toMatchObject({ state: 'down', checkError: 'timed out after 500 ms' });
    await pass(1_000);
    expect(signals).toHaveLength(2);
  });

  test.each([
    ['rejects', async () => Promise.reject(new Error('no')), 'no'],
    [
      'throws',
      () => {
        throw new Error('no');
      },
      'no',
    ],
    ['says false', async () => false, 'not well'],
    ['throws no error', async () => Promise.reject('text'), 'text'],
    ['throws nothing', async () => Promise.reject(new Error('')), 'failed'],
    [
      'fails for a reason',
      async () => Promise.reject(new Error('fetch failed', { cause: new Error('refused') })),
      'fetch failed: refused',
    ],
  ])('a check that %s has failed', async (_what, check, error) => {
    const { pool, pass } = checked({ check: check as Check, fall: 1 }, {}, [a]);
    await pass(1_000);
    expect(shown(pool, a)).toMatchObject({ state: 'down', checkError: error });
  });

  test('a server may have to prove itself first', async () => {
    const { pool, pass } = checked({ initially: 'down', rise: 2 }, { panicThreshold: 0.5 }, [a]);
    expect(state(pool, a)).toBe('down');
    await pass(2_000);
    expect(state(pool, a)).toBe('up');
    pool.add(b);
    expect(state(pool, b)).toBe('down');
    expect(served(pool, 3)).toEqual([a, a, a]);
    await pass(2_000);
    expect(state(pool, b)).toBe('up');
  });

  test('if more than half are down, all are used: more likely the checks are wrong', async () => {
    const { pool, dead, pass } = checked({ fall: 1 }, { panicThreshold: 0.5 });
    dead.add(a);
    await pass(1_000);
    expect(new Set(served(pool, 9))).toEqual(new Set([b, c]));
    dead.add(b);
    await pass(1_000);
    expect(new Set(served(pool, 9))).toEqual(new Set(abc));
    expect(pool.snapshot()).toMatchObject({ panic: true });
  });

  test('a draining server is checked on, a removed one is not', async () => {
    const { pool, checks, pass } = checked();
    void pool.drain(a);
    pool.remove(b);
    await pass(5_000);
    expect(checks.filter((url) => url === a)).toHaveLength(5);
    expect(checks).not.toContain(b);
  });

  test('a check that is under way when its server leaves has no effect, nor a timer left', async () => {
    let fail = (_error: Error): void => {};
    const check: Check = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const { pool, pass } = checked({ check, fall: 1 }, {}, [a]);
    await pass(1_000);
    const [upstream] = pool.upstreams;
    pool.remove(a);
    fail(new Error('too late'));
    await pass(0);
    expect(upstream?.state).toBe('draining');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('closing ends all checks and leaves no timer', async () => {
    const { pool, check, pass } = checked();
    await pass(1_500);
    const { length } = check.mock.calls;
    expect(length).toBeGreaterThan(0);
    pool.close();
    pool.close();
    expect(vi.getTimerCount()).toBe(0);
    await pass(10_000);
    expect(check.mock.calls).toHaveLength(length);
    pool.add('http://late');
    expect(vi.getTimerCount()).toBe(0);
    expect(serve(pool)).toBe(a);
  });

  test('first checks are spread evenly over an interval: chi-square at p > .001, while a crowd would be noticed', async () => {
    const urls = Array.from({ length: 1_000 }, (_, i) => `http://s${i}`);
    const { checks, pass } = checked({}, {}, urls);
    const tenths: number[] = [];
    for (let tenth = 0; tenth < 10; tenth += 1) {
      await pass(100);
      tenths.push(checks.length - tenths.reduce((sum, count) => sum + count, 0));
    }
    const chiSquare = (counts: readonly number[]) =>
      counts.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
    expect(checks.length).toBe(1_000);
    expect(chiSquare(tenths)).toBeLessThan(27.877);
    expect(chiSquare([160, 40, ...Array(8).fill(100)])).toBeGreaterThan(27.877);
  });

  test('intervals vary by the jitter and no more', async () => {
    const times: number[] = [];
    let now = 0;
    const check: Check = async () => void times.push(now);
    const { pass } = checked({ check, jitter: 0.2 }, {}, [a]);
    for (; now < 400_000; now += 10) await pass(10);
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(790);
    expect(Math.min(...gaps)).toBeLessThan(850);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1_210);
    expect(Math.max(...gaps)).toBeGreaterThan(1_150);
  });
});

/** Resolves when that happens to a server of the pool. */
function happens(pool: Pool, type: PoolEventType): Promise<Upstream> {
  return new Promise((resolve) => {
    const end = pool.subscribe((event) => {
      if (event.type !== type) return;
      end();
      resolve(event.upstream);
    });
  });
}

describe('real servers', () => {
  const stop: (() => unknown)[] = [];
  afterEach(async () => {
    for (const each of stop.splice(0).toReversed()) await each();
  });

  const listen = async (server: Server | ReturnType<typeof createTcpServer>, port = 0): Promise<number> => {
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    stop.push(() => kill(server));
    return (server.address() as AddressInfo).port;
  };
  const kill = (server: Server | ReturnType<typeof createTcpServer>): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      if ('closeAllConnections' in server) server.closeAllConnections();
    });
  const http = (status = 200, seen: string[] = []): Server =>
    createServer((req, res) => {
      seen.push(`${req.method} ${req.url} ${req.headers.host} ${req.headers['x-from'] ?? ''}`);
      res.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('body');
    });
  const watched = (urls: readonly string[], check: Check, options: Partial<HealthOptions> = {}): Pool => {
    const pool = createPool(urls, {
      health: { check, interval: 10, timeout: '5s', rise: 2, fall: 3, ...options },
      panicThreshold: 0,
    });
    stop.push(() => pool.close());
    return pool;
  };

  test.each([
    ['HTTP', () => httpCheck({ path: '/healthz' })],
    ['TCP', () => tcpCheck()],
  ])(
    '%s checks: one that is killed goes down after `fall`, one that is started again comes up after `rise`',
    async (_name, check) => {
      const [stays, dies] = [http(), http()];
      const urls = [`http://127.0.0.1:${await listen(stays)}`];
      const port = await listen(dies);
      urls.push(`http://127.0.0.1:${port}`);
      const pool = watched(urls, check());
      const down = happens(pool, 'down');
      await kill(dies);
      expect((await down).url).toBe(urls[1]);
      expect(Number(shown(pool, urls[1]!).checksFailed)).toBeGreaterThanOrEqual(3);
      expect(shown(pool, urls[1]!).checkError).toMatch(/ECONNREFUSED|ECONNRESET|closed/);
      expect(new Set(served(pool, 10))).toEqual(new Set([urls[0]]));
      const passed = Number(shown(pool, urls[1]!).checksPassed);
      const up = happens(pool, 'up');
      await listen(http(), port);
      expect((await up).url).toBe(urls[1]);
      expect(Number(shown(pool, urls[1]!).checksPassed) - passed).toBeGreaterThanOrEqual(2);
      expect(new Set(served(pool, 10))).toEqual(new Set(urls));
    },
  );

  test('an HTTP check asks as it is told, and reads the status', async () => {
    const seen: string[] = [];
    const port = await listen(http(200, seen));
    const upstream = createPool([`http://127.0.0.1:${port}`]).upstreams[0]!;
    const { signal } = new AbortController();
    await httpCheck({ path: '/up?x', method: 'HEAD', headers: { 'x-from': 'weir' } })(upstream, signal);
    expect(seen).toEqual([`HEAD /up?x 127.0.0.1:${port} weir`]);
  });

  test.each([
    [200, true],
    [302, true],
    [404, false],
    [503, false],
  ])('status %i means well: %s, without following redirects', async (status, well) => {
    const pool = createPool([`http://127.0.0.1:${await listen(http(status))}`]);
    const result = httpCheck()(pool.upstreams[0]!, new AbortController().signal);
    if (well) await result;
    else await expect(result).rejects.toThrow(`status ${status}`);
    await expect(
      httpCheck({ accept: (given) => given !== status })(pool.upstreams[0]!, new AbortController().signal),
    ).rejects.toThrow(`status ${status}`);
  });

  test('a server that accepts and never answers is down for HTTP, and up for TCP', async () => {
    const sockets = new Set<{ destroy(): void }>();
    const silent = createTcpServer((socket) => void sockets.add(socket.on('error', () => {})));
    const url = `http://127.0.0.1:${await listen(silent)}`;
    stop.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    const byHttp = watched([url], httpCheck(), { timeout: 100, fall: 1 });
    await happens(byHttp, 'down');
    expect(shown(byHttp, url).checkError).toBe('timed out after 100 ms');
    await tcpCheck()(byHttp.upstreams[0]!, new AbortController().signal);
  });

  test('a TCP check may try another port, and ends with its signal', async () => {
    const port = await listen(createTcpServer((socket) => void socket.on('error', () => {})));
    const upstream = createPool([b]).upstreams[0]!;
    await tcpCheck({ port })(upstream, new AbortController().signal);
    const gone = AbortSignal.abort(new Error('enough'));
    await expect(tcpCheck({ port })(upstream, gone)).rejects.toThrow('enough');
  });

  test.each([
    ['path', () => httpCheck({ path: 'healthz' })],
    ['path', () => httpCheck({ path: '//evil.example' })],
    ['method', () => httpCheck({ method: '' })],
    ['accept', () => httpCheck({ accept: 200 as never })],
    ['fetch', () => httpCheck({ fetch: 'fetch' as never })],
    ['url', () => httpCheck({ url: '/' } as never)],
    ['port', () => tcpCheck({ port: 0 })],
    ['host', () => tcpCheck({ host: 'x' } as never)],
  ])('a check refuses a bad `%s`', (option, make) => {
    expect(make).toThrow(expect.objectContaining({ option }));
  });
});
