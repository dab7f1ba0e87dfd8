import { ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import { createPool, type OutlierOptions, type Pool, roundRobin } from '../src/index.ts';
import { a, abc, b, c, lease, serve, served, shown, state, weighing } from './support.ts';

describe('createPool', () => {
  test.each([
    ['outliers.consecutiveFailures', { consecutiveFailures: 0 }],
    ['outliers.consecutiveFailures', { consecutiveFailures: 1_001 }],
    ['outliers.ejectFor', { ejectFor: '10 parsecs' }],
    ['outliers.maxEjectFor', { ejectFor: '10s', maxEjectFor: '9s' }],
    ['outliers.maxEjected', { maxEjected: 0 }],
    ['outliers.maxEjected', { maxEjected: 1.1 }],
    ['outliers.successRate.minimumRequests', { successRate: { minimumRequests: 0 } }],
    ['outliers.successRate.minimumServers', { successRate: { minimumServers: 1 } }],
    ['outliers.successRate.deviations', { successRate: { deviations: 0 } }],
    ['rate', { successRate: { rate: 1 } }],
    ['consecutive', { consecutive: 1 }],
  ])('refuses a bad `%s`', (option, outliers) => {
    expect(() => createPool(abc, { outliers: outliers as OutlierOptions })).toThrow(
      expect.objectContaining({ option }),
    );
  });
});

describe('failures in a row', () => {
  const failing = (outliers: OutlierOptions = {}) => {
    const clock = new ManualClock();
    const pool = createPool(abc, {
      strategy: roundRobin(),
      clock,
      outliers: { consecutiveFailures: 2, ejectFor: '10s', ...outliers },
    });
    /** Requests in turn, those to `a` failing. */
    const run = (n: number): string[] =>
      Array.from({ length: n }, () => {
        const taken = lease(pool);
        const { url } = taken.upstream;
        taken.release({ outcome: url === a ? 'failure' : 'ok' });
        return url;
      });
    return { clock, pool, run };
  };

  test('leave an upstream out, until its time is over', () => {
    const { clock, pool, run } = failing();
    expect(run(6).filter((url) => url === a)).toHaveLength(2);
    expect(state(pool, a)).toBe('ejected');
    expect(run(30)).not.toContain(a);
    clock.advance(9_999);
    expect(run(3)).not.toContain(a);
    clock.advance(1);
    expect(run(3)).toContain(a);
  });

  test('are five, unless told otherwise', () => {
    const pool = createPool([a, b]);
    for (let i = 0; i < 4; i += 1) serve(pool, 'failure', { exclude: [b] });
    expect(state(pool, a)).toBe('up');
    serve(pool, 'failure', { exclude: [b] });
    expect(state(pool, a)).toBe('ejected');
  });

  test('start anew after a success, and are not broken by what says nothing', () => {
    const { pool } = failing();
    const only = { exclude: [b, c] };
    for (const outcome of ['failure', 'ok', 'failure', 'ignore'] as const) serve(pool, outcome, only);
    expect(state(pool, a)).toBe('up');
    serve(pool, 'failure', only);
    expect(state(pool, a)).toBe('ejected');
  });

  test('once back, one failure is enough, and the time doubles each time, up to its maximum', () => {
    const { clock, pool, run } = failing({ maxEjectFor: '35s' });
    run(6);
    for (const seconds of [10, 20, 35, 35]) {
      expect(shown(pool, a)).toMatchObject({ ejectedForMs: seconds * 1_000 });
      clock.advance(seconds * 1_000 - 1);
      expect(run(3)).not.toContain(a);
      clock.advance(1);
      expect(run(3).filter((url) => url === a)).toHaveLength(1);
    }
  });

  test('after a good time, as long as the last ejection, the next one is short again', () => {
    const { clock, pool, run } = failing();
    run(6);
    clock.advance('10s');
    run(3);
    clock.advance('20s');
    serve(pool, 'ok', { exclude: [b, c] });
    clock.advance(20_001);
    run(6);
    expect(shown(pool, a)).toMatchObject({ state: 'ejected', ejectedForMs: 10_000, ejections: 3 });
  });

  test('a success on trial ends the trial', () => {
    const { clock, pool, run } = failing();
    run(6);
    clock.advance('10s');
    serve(pool, 'ok', { exclude: [b, c] });
    serve(pool, 'failure', { exclude: [b, c] });
    expect(state(pool, a)).toBe('up');
  });

  test('late answers of one that is out neither prolong its time nor end it', () => {
    const { clock, pool } = failing();
    const held = Array.from({ length: 5 }, () => lease(pool, { exclude: [b, c] }));
    for (const [i, each] of held.entries()) {
      each.release({ outcome: i === 3 ? 'ok' : 'failure' });
      clock.advance(1);
    }
    expect(shown(pool, a)).toMatchObject({ ejections: 1, ejectedForMs: 9_996 });
  });

  test('are over when the time is over, also where nobody asks for a server', () => {
    const { clock, pool, run } = failing();
    run(6);
    clock.advance('10s');
    expect(
      pool.metrics().find(({ name, labels }) => name.endsWith('_up') && labels.upstream === a),
    ).toMatchObject({ value: 1 });
    expect(state(pool, a)).toBe('up');
    expect(shown(pool, a)).toMatchObject({ state: 'up', ejectedForMs: 0 });
  });

  test('do nothing when that is switched off', () => {
    const pool = createPool([a], { outliers: false });
    for (let i = 0; i < 1_000; i += 1) serve(pool, 'failure');
    expect(shown(pool, a)).toMatchObject({ state: 'up', failed: 1_000 });
  });
});

describe('the share of servers that may be ejected', () => {
  const allFail = (size: number, maxEjected?: number): Pool => {
    const pool = createPool(weighing(...Array(size).fill(1)), {
      clock: new ManualClock(),
      outliers: { consecutiveFailures: 1, ...(maxEjected === undefined ? {} : { maxEjected }) },
    });
    for (let i = 0; i < 5 * size; i += 1) serve(pool, 'failure');
    return pool;
  };
  const ejected = (pool: Pool): number => pool.upstreams.filter(({ state }) => state === 'ejected').length;

  test.each([
    [10, undefined, 5],
    [3, undefined, 1],
    [10, 0.3, 3],
    [10, 0.01, 1],
    [1, 0.5, 1],
    [4, 1, 4],
  ])('of %i servers with a maximum of %s, %i are ejected at most', (size, maxEjected, expected) => {
    expect(ejected(allFail(size, maxEjected))).toBe(expected);
  });

  test('one that could not be ejected is as soon as another has come back', () => {
    const clock = new ManualClock();
    const pool = createPool([a, b], { clock, outliers: { consecutiveFailures: 1, ejectFor: '1s' } });
    serve(pool, 'failure', { exclude: [b] });
    serve(pool, 'failure', { exclude: [a] });
    expect([state(pool, a), state(pool, b)]).toEqual(['ejected', 'up']);
    clock.advance('1s');
    serve(pool, 'failure', { exclude: [a] });
    expect([state(pool, a), state(pool, b)]).toEqual(['up', 'ejected']);
  });

  test('with all of them out, all are tried again rather than none', () => {
    const pool = allFail(3, 1);
    expect(pool.upstreams.every(({ state }) => state === 'ejected')).toBe(true);
    expect(new Set(served(pool, 3)).size).toBe(3);
    expect(pool.snapshot()).toMatchObject({ panic: true });
  });

  test('a success of one that was let in out of need does not end its time', () => {
    const clock = new ManualClock();
    const pool = createPool([a, b], { clock, outliers: { consecutiveFailures: 1, maxEjected: 1 } });
    for (const outcome of ['failure', 'failure', 'ok', 'ok'] as const) serve(pool, outcome);
    expect(pool.upstreams.map(({ state }) => state)).toEqual(['ejected', 'ejected']);
    clock.advance('10s');
    serve(pool, 'ok');
    expect(pool.upstreams.map(({ state }) => state)).toEqual(['up', 'up']);
  });
});

describe('success rates', () => {
  /** Requests in turn, of which those to each server fail with its chance. */
  const run = (chances: readonly number[], requests: number, outliers: OutlierOptions = {}): Pool => {
    const pool = createPool(weighing(...chances.map(() => 1)), {
      strategy: roundRobin(),
      clock: new ManualClock(),
      outliers: { consecutiveFailures: 1_000, ...outliers },
    });
    const rng = seededRandom(9);
    for (let i = 0; i < requests; i += 1) {
      const taken = lease(pool);
      const chance = chances[Number(taken.upstream.url.slice('http://s'.length))]!;
      taken.release({ outcome: rng() < chance ? 'failure' : 'ok' });
    }
    return pool;
  };
  const out = (pool: Pool): string[] =>
    pool.upstreams.filter(({ state }) => state === 'ejected').map(({ url }) => url);

  test('eject a server that fails far more often than the others, though never in a row', () => {
    expect(out(run([0.01, 0.01, 0.5, 0.01, 0.01, 0.01], 600))).toEqual(['http://s2']);
  });

  test('are not compared before there is enough to compare', () => {
    expect(out(run([0.01, 0.01, 0.5, 0.01, 0.01, 0.01], 599))).toEqual([]);
    expect(out(run([0, 0, 0, 0.6], 10_000))).toEqual([]);
    expect(out(run([0, 0, 0, 0.6], 400, { successRate: { minimumServers: 4, deviations: 1.5 } }))).toEqual([
      'http://s3',
    ]);
  });

  test('do not punish few failures among servers that have none, nor anybody when all fail alike', () => {
    expect(out(run([0, 0, 0, 0, 0, 0.04], 600))).toEqual([]);
    expect(out(run([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 6_000))).toEqual([]);
  });

  test('count from the last comparison on', () => {
    const pool = run([0, 0, 0, 0, 0, 0], 600);
    let failures = 0;
    for (let i = 0; i < 599; i += 1) {
      const taken = lease(pool);
      const bad = taken.upstream.url === 'http://s1' && i % 12 < 6;
      failures += bad ? 1 : 0;
      taken.release({ outcome: bad ? 'failure' : 'ok' });
    }
    expect(failures).toBeGreaterThan(40);
    expect(out(pool)).toEqual([]);
    serve(pool);
    expect(out(pool)).toEqual(['http://s1']);
  });

  test('are let alone when that is switched off', () => {
    expect(out(run([0, 0, 0.9, 0, 0, 0], 6_000, { successRate: false }))).toEqual([]);
  });

  test('eject no more than the maximum, the worst first', () => {
    const chances = [...Array(16).fill(0), 0.3, 0.9, 0.6, 0.8];
    expect(out(run(chances, 2_000, { maxEjected: 0.1, successRate: { deviations: 0.5 } }))).toEqual([
      'http://s17',
      'http://s19',
    ]);
  });
});
