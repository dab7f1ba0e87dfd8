import { ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import { createPool, leastConnections, type Pool, roundRobin } from '../src/index.ts';

const [a, b, c] = ['http://127.0.0.1:1001', 'http://127.0.0.1:1002', 'http://127.0.0.1:1003'];
const abc = [a, b, c] as const;
type Outcome = 'ok' | 'failure' | 'ignore';

/** One request from choice to outcome. */
function serve(pool: Pool, outcome: Outcome = 'ok'): string | undefined {
  const lease = pool.acquire();
  lease?.release({ outcome });
  return lease?.upstream.url;
}

describe('createPool', () => {
  test.each([
    ['a path', ['http://a/b']],
    ['no URL', ['somewhere']],
    ['another scheme', ['ftp://a']],
    ['credentials', ['http://me:secret@a']],
    ['nothing', [undefined]],
    ['the same twice', ['http://a', 'http://a:80/']],
  ])('refuses an upstream with %s', (_what, upstreams) => {
    expect(() => createPool(upstreams as string[])).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option: 'upstreams' }),
    );
  });

  test.each([
    ['strategy', { strategy: 'round robin' }],
    ['outliers.consecutiveFailures', { outliers: { consecutiveFailures: 0 } }],
    ['outliers.ejectFor', { outliers: { ejectFor: '10 parsecs' } }],
    ['name', { name: '' }],
    ['stratgy', { stratgy: roundRobin() }],
  ])('refuses a bad `%s`', (option, options) => {
    expect(() => createPool(abc, options as never)).toThrow(expect.objectContaining({ option }));
  });

  test('an empty pool has nobody to offer', () => {
    expect(createPool([]).acquire()).toBeUndefined();
  });

  test('an excluded upstream is not chosen, and none is left when all are excluded', () => {
    const pool = createPool(abc, { strategy: roundRobin() });
    for (let i = 0; i < 10; i += 1) {
      const lease = pool.acquire({ exclude: [a, c] });
      expect(lease?.upstream.url).toBe(b);
      lease?.release({ outcome: 'ok' });
    }
    expect(pool.acquire({ exclude: abc })).toBeUndefined();
  });

  test('a lease counts once, however often it is given back', () => {
    const pool = createPool([a]);
    const lease = pool.acquire();
    expect(pool.upstreams[0]?.inFlight).toBe(1);
    lease?.release({ outcome: 'ok' });
    lease?.release({ outcome: 'failure' });
    lease?.[Symbol.dispose]();
    expect(pool.upstreams[0]?.inFlight).toBe(0);
    expect(pool.snapshot()).toMatchObject({ upstreams: [{ succeeded: 1, failed: 0 }] });
  });

  test('disposing of a lease blames nobody', () => {
    const pool = createPool([a], { outliers: { consecutiveFailures: 1 } });
    {
      using lease = pool.acquire();
      expect(lease?.upstream.inFlight).toBe(1);
    }
    expect(pool.upstreams[0]).toMatchObject({ inFlight: 0, state: 'up' });
  });
});

describe('passive failure marking', () => {
  const failing = () => {
    const clock = new ManualClock();
    const pool = createPool(abc, {
      strategy: roundRobin(),
      clock,
      outliers: { consecutiveFailures: 2, ejectFor: '10s' },
    });
    /** Requests in turn, those to `a` failing. */
    const run = (n: number): string[] =>
      Array.from({ length: n }, () => {
        const lease = pool.acquire();
        const url = lease?.upstream.url ?? '';
        lease?.release({ outcome: url === a ? 'failure' : 'ok' });
        return url;
      });
    return { clock, pool, run };
  };

  test('leaves an upstream out after that many failures in a row, and takes it back after the time', () => {
    const { clock, pool, run } = failing();
    expect(run(6).filter((url) => url === a)).toHaveLength(2);
    expect(pool.upstreams[0]?.state).toBe('ejected');
    expect(run(30)).not.toContain(a);
    clock.advance(9_999);
    expect(run(3)).not.toContain(a);
    clock.advance(1);
    expect(run(3)).toContain(a);
  });

  test('once back, one failure is enough, and the time doubles', () => {
    const { clock, run } = failing();
    run(6);
    clock.advance('10s');
    expect(run(3).filter((url) => url === a)).toHaveLength(1);
    clock.advance(19_999);
    expect(run(3)).not.toContain(a);
    clock.advance(1);
    expect(run(3)).toContain(a);
  });

  test('a success in between starts the count anew', () => {
    const pool = createPool([a], { outliers: { consecutiveFailures: 2 } });
    for (const outcome of ['failure', 'ok', 'failure', 'ignore'] as const) serve(pool, outcome);
    expect(pool.upstreams[0]?.state).toBe('up');
    serve(pool, 'failure');
    expect(pool.upstreams[0]?.state).toBe('ejected');
  });

  test('with all of them out, all are tried again rather than none', () => {
    const pool = createPool(abc, { strategy: roundRobin(), outliers: { consecutiveFailures: 1 } });
    for (let i = 0; i < 3; i += 1) serve(pool, 'failure');
    expect(pool.upstreams.every(({ state }) => state === 'ejected')).toBe(true);
    expect(new Set([serve(pool), serve(pool), serve(pool)])).toEqual(new Set(abc));
  });

  test('a success of one that was let in out of need does not end its time', () => {
    const clock = new ManualClock();
    const pool = createPool([a, b], { clock, strategy: roundRobin(), outliers: { consecutiveFailures: 1 } });
    serve(pool, 'failure');
    serve(pool, 'failure');
    serve(pool, 'ok');
    expect(pool.upstreams.map(({ state }) => state)).toEqual(['ejected', 'ejected']);
    clock.advance('10s');
    serve(pool, 'ok');
    expect(pool.upstreams.map(({ state }) => state)).toEqual(['up', 'up']);
  });
});

describe('roundRobin', () => {
  test('takes each in turn', () => {
    const pool = createPool(abc, { strategy: roundRobin() });
    expect(Array.from({ length: 7 }, () => serve(pool))).toEqual([a, b, c, a, b, c, a]);
  });

  test('one strategy may serve two pools', () => {
    const strategy = roundRobin();
    const [one, two] = [createPool(abc, { strategy }), createPool(abc, { strategy })];
    expect([serve(one), serve(two), serve(one), serve(two)]).toEqual([a, a, b, b]);
  });
});

describe('leastConnections', () => {
  test('takes the one with the fewest in flight', () => {
    const pool = createPool(abc);
    const held = [pool.acquire(), pool.acquire(), pool.acquire()];
    expect(new Set(held.map((lease) => lease?.upstream.url))).toEqual(new Set(abc));
    held[1]?.release({ outcome: 'ok' });
    expect(pool.acquire()?.upstream.url).toBe(held[1]?.upstream.url);
  });

  test('breaks ties in rotation', () => {
    const pool = createPool(abc);
    expect(Array.from({ length: 6 }, () => serve(pool))).toEqual([a, b, c, a, b, c]);
  });

  test('never gives a server two requests more than another', () => {
    const random = seededRandom(1);
    const pool = createPool(abc, { strategy: leastConnections() });
    const held: NonNullable<ReturnType<Pool['acquire']>>[] = [];
    for (let i = 0; i < 3_000; i += 1) {
      if (held.length === 0 || random() < 0.6) {
        const fewest = Math.min(...pool.upstreams.map(({ inFlight }) => inFlight));
        const lease = pool.acquire();
        expect(lease?.upstream.inFlight).toBe(fewest + 1);
        held.push(lease!);
      } else {
        held.splice(Math.floor(random() * held.length), 1)[0]?.release({ outcome: 'ok' });
      }
    }
    for (const lease of held) lease.release({ outcome: 'ok' });
    expect(pool.upstreams.every(({ inFlight }) => inFlight === 0)).toBe(true);
  });
});

test('a pool tells its numbers', () => {
  const pool = createPool([a], { name: 'api', outliers: { consecutiveFailures: 1 } });
  serve(pool);
  serve(pool, 'failure');
  const held = pool.acquire();
  const values = Object.fromEntries(
    pool.metrics().map((s) => [`${s.name}${s.labels.outcome ?? ''}`, 'value' in s ? s.value : undefined]),
  );
  expect(values).toEqual({
    weir_load_balancer_requests_totalok: 1,
    weir_load_balancer_requests_totalfailure: 1,
    weir_load_balancer_in_flight: 1,
    weir_load_balancer_up: 0,
    weir_load_balancer_ejections_total: 1,
  });
  held?.release({ outcome: 'ok' });
  expect(JSON.parse(JSON.stringify(pool.snapshot()))).toEqual(pool.snapshot());
});
