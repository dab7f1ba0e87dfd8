import { coarseClock } from '@weir/core';
import { ManualClock } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import {
  createLimiter,
  fixedWindow,
  type Limiter,
  type LimiterOptions,
  type Limits,
  mapStorage,
  slidingLog,
  slidingWindow,
  tableStorage,
  tokenBucket,
} from '../src/index.ts';
import { algorithms } from './contract.ts';

const make = (limits: LimiterOptions['limits'], options: Partial<LimiterOptions> = {}) => {
  const clock = new ManualClock();
  return { clock, limiter: createLimiter({ limits, clock, ...options }) };
};

describe('createLimiter', () => {
  test('decides at once, with every length of time a delta', () => {
    const { limiter, clock } = make(tokenBucket({ limit: 2, per: '1s', name: 'burst' }));
    expect(limiter.check('k')).toMatchObject({
      allowed: true,
      limit: 2,
      remaining: 1,
      retryAfterMs: 0,
      resetMs: 500,
      policy: 'burst',
    });
    limiter.check('k');
    clock.advance(100);
    const refused = limiter.check('k');
    expect(refused).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 400, resetMs: 900 });
    expect(refused.limits).toEqual([
      { policy: 'burst', limit: 2, remaining: 0, retryAfterMs: 400, resetMs: 900, windowMs: 1000 },
    ]);
    expect(JSON.parse(JSON.stringify(refused))).toEqual({
      allowed: false,
      limit: 2,
      remaining: 0,
      retryAfterMs: 400,
      resetMs: 900,
      policy: 'burst',
      limits: refused.limits,
    });
  });

  test('a decision does not change later', () => {
    for (const limits of [
      fixedWindow({ limit: 5, per: '1m' }),
      [fixedWindow({ limit: 5, per: '1m' }), tokenBucket({ limit: 9, per: '1m' })],
    ]) {
      const { limiter, clock } = make(limits);
      const first = limiter.check('k');
      const before = JSON.stringify(first);
      for (let i = 0; i < 10; i += 1) limiter.check('k');
      clock.advance('10m');
      limiter.reset('k');
      expect(JSON.stringify(first)).toBe(before);
    }
  });

  test('charges all limits or none, and lets the tightest speak', () => {
    const { limiter, clock } = make([
      tokenBucket({ limit: 10, per: '1s', name: 'second' }),
      fixedWindow({ limit: 3, per: '1h', name: 'hour' }),
    ]);
    expect(limiter.check('k')).toMatchObject({ allowed: true, policy: 'hour', limit: 3, remaining: 2 });
    limiter.check('k');
    limiter.check('k');
    for (let i = 0; i < 20; i += 1) {
      expect(limiter.check('k')).toMatchObject({ allowed: false, policy: 'hour' });
    }
    const { limits } = limiter.peek('k');
    expect(limits.map(({ policy, remaining }) => [policy, remaining])).toEqual([
      ['second', 7],
      ['hour', 0],
    ]);
    clock.advance('1h');
    expect(limiter.check('k', { cost: 4 })).toMatchObject({
      allowed: false,
      retryAfterMs: Number.POSITIVE_INFINITY,
      policy: 'hour',
    });
    expect(limiter.check('k', { cost: 3 })).toMatchObject({ allowed: true, remaining: 0 });
  });

  test('of two limits that refuse, the longer wait speaks', () => {
    const { limiter } = make([
      slidingLog({ limit: 1, per: '1m', name: 'minute' }),
      slidingLog({ limit: 1, per: '1d', name: 'day' }),
    ]);
    limiter.check('k');
    expect(limiter.check('k')).toMatchObject({ policy: 'day', retryAfterMs: 86_400_000 });
  });

  test.each([
    Number.NaN,
    -1,
    0.5,
    1.0000001,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 53,
    '1',
    null,
    1n,
    {},
    true,
  ])('refuses a cost of %s with a typed error, and charges nothing', async (cost) => {
    const { limiter } = make(tokenBucket({ limit: 5, per: '1m' }));
    const bad = cost as number;
    const error = expect.objectContaining({ name: 'InvalidCostError', code: 'ERR_WEIR_INVALID_COST' });
    expect(() => limiter.check('k', { cost: bad })).toThrow(error);
    expect(() => limiter.peek('k', { cost: bad })).toThrow(error);
    expect(() => limiter.charge('k', bad)).toThrow(error);
    expect(() => limiter.refund('k', bad)).toThrow(error);
    await expect(limiter.wait('k', { cost: bad })).rejects.toEqual(error);
    expect(limiter.check('k')).toMatchObject({ remaining: 4 });
  });

  test.each([undefined, null, 5, {}, [], Symbol('k'), 1n])(
    'refuses a key that is no string with a typed error: %s',
    async (key) => {
      const { limiter } = make(tokenBucket({ limit: 5, per: '1m' }));
      const bad = key as string;
      const error = expect.objectContaining({ name: 'InvalidKeyError', code: 'ERR_WEIR_INVALID_KEY' });
      expect(() => limiter.check(bad)).toThrow(error);
      expect(() => limiter.peek(bad)).toThrow(error);
      expect(() => limiter.reset(bad)).toThrow(error);
      expect(() => limiter.block(bad, 1)).toThrow(error);
      expect(() => limiter.charge(bad, 1)).toThrow(error);
      expect(() => limiter.refund(bad, 1)).toThrow(error);
      await expect(limiter.wait(bad)).rejects.toEqual(error);
      expect(limiter.snapshot()).toMatchObject({ keys: 0, allowed: 0 });
    },
  );

  test('a cost of 0 is admitted while there is no debt', () => {
    const { limiter } = make(tokenBucket({ limit: 2, per: '1m' }));
    limiter.check('k', { cost: 2 });
    expect(limiter.check('k', { cost: 0 })).toMatchObject({ allowed: true, remaining: 0 });
    limiter.charge('k', 1);
    expect(limiter.check('k', { cost: 0 }).allowed).toBe(false);
  });

  test('a refused cost does not hinder one that can be afforded', () => {
    for (const [, algorithm] of algorithms) {
      const { limiter } = make(algorithm(10, 86_400_000));
      expect([8, 5, 1].map((cost) => limiter.check('k', { cost }).allowed)).toEqual([true, false, true]);
    }
  });

  test('peeks without charging and without remembering the key', () => {
    const { limiter } = make(tokenBucket({ limit: 5, per: '1m' }));
    expect(limiter.peek('k')).toMatchObject({ allowed: true, remaining: 5, resetMs: 0 });
    expect(limiter.peek('k', { cost: 6 })).toMatchObject({ allowed: false });
    expect(limiter.snapshot()).toMatchObject({ keys: 0, allowed: 0, refused: 0 });
  });

  test('a refund goes to the brim and no further', () => {
    for (const [, algorithm] of algorithms) {
      const { limiter } = make(algorithm(5, 86_400_000));
      limiter.check('k', { cost: 3 });
      limiter.refund('k', 1);
      expect(limiter.peek('k').remaining).toBe(3);
      limiter.refund('k', Number.MAX_SAFE_INTEGER);
      limiter.refund('never seen', 5);
      expect(limiter.peek('k').remaining).toBe(5);
      expect(limiter.peek('never seen').remaining).toBe(5);
      expect([1, 5].map((cost) => limiter.check('k', { cost }).allowed)).toEqual([true, false]);
    }
  });

  test('blocks a key until time is up, whatever else happens', () => {
    const { limiter, clock } = make(tokenBucket({ limit: 5, per: '1s' }));
    limiter.block('k', '10m');
    expect(limiter.check('k')).toMatchObject({
      allowed: false,
      remaining: 0,
      policy: 'blocked',
      retryAfterMs: 600_000,
      resetMs: 600_000,
    });
    expect(limiter.check('k').limits[0]).toMatchObject({ policy: '5-per-1s', remaining: 5, retryAfterMs: 0 });
    expect(limiter.check('other').allowed).toBe(true);
    clock.advance('9m');
    limiter.refund('k', 5);
    expect(limiter.check('k')).toMatchObject({ allowed: false, retryAfterMs: 60_000 });
    clock.advance('1m');
    expect(limiter.check('k')).toMatchObject({ allowed: true, policy: '5-per-1s', remaining: 4 });
  });

  test('a block for ever lasts until reset, and a later block replaces it', () => {
    const { limiter, clock } = make([
      tokenBucket({ limit: 5, per: '1s' }),
      fixedWindow({ limit: 9, per: '1s' }),
    ]);
    limiter.block('k', Number.POSITIVE_INFINITY);
    for (let i = 0; i < 10; i += 1) {
      clock.advance('100d');
      expect(limiter.check('k')).toMatchObject({ allowed: false, retryAfterMs: Number.POSITIVE_INFINITY });
    }
    limiter.reset('k');
    expect(limiter.check('k').allowed).toBe(true);
    limiter.block('k', Number.POSITIVE_INFINITY);
    limiter.block('k', 10);
    clock.advance(10);
    expect(limiter.check('k').allowed).toBe(true);
    for (const bad of [0, -1, Number.NaN, '10 minutes' as never]) {
      expect(() => limiter.block('k', bad)).toThrow(expect.objectContaining({ option: 'duration' }));
    }
  });

  test('a longer wait of a limit speaks louder than a block', () => {
    const { limiter } = make(fixedWindow({ limit: 1, per: '1d' }));
    limiter.check('k');
    limiter.block('k', 5);
    expect(limiter.check('k')).toMatchObject({ allowed: false, policy: '1-per-1d' });
  });

  test('forgets a key on reset', () => {
    const { limiter } = make([slidingWindow({ limit: 2, per: '1m' }), slidingLog({ limit: 2, per: '2m' })]);
    limiter.check('a', { cost: 2 });
    limiter.check('b', { cost: 2 });
    limiter.reset('a');
    limiter.reset('never seen');
    expect(limiter.check('a', { cost: 2 }).allowed).toBe(true);
    expect(limiter.check('b').allowed).toBe(false);
    limiter.actions!.reset!('b');
    expect(limiter.check('b').allowed).toBe(true);
    expect(() => limiter.actions!.reset!({ key: 'b' })).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_KEY' }),
    );
  });

  test('a function of limits gives each key its own, and each set its own counts', () => {
    let free = tokenBucket({ limit: 2, per: '1h', name: 'plan' });
    const pro = [tokenBucket({ limit: 9, per: '1h' }), fixedWindow({ limit: 20, per: '1d' })];
    const { limiter } = make((key): Limits => (key.startsWith('pro') ? pro : free));
    expect(limiter.check('pro-1')).toMatchObject({ limit: 9, remaining: 8 });
    expect(limiter.check('pro-1').limits).toHaveLength(2);
    limiter.check('free-1', { cost: 2 });
    expect(limiter.check('free-1').allowed).toBe(false);
    // Raised while the hour runs: there is room at once. Lowered: so is the room.
    free = tokenBucket({ limit: 5, per: '1h', name: 'plan' });
    expect(limiter.check('free-1')).toMatchObject({ allowed: true, remaining: 4 });
    free = tokenBucket({ limit: 1, per: '1h', name: 'plan' });
    expect(limiter.check('free-1')).toMatchObject({ allowed: true, remaining: 0 });
    expect(limiter.check('free-1').allowed).toBe(false);
    expect(limiter.snapshot()).toMatchObject({ limits: 'by key', keys: 4 });
  });

  test('a function that returns something else, or ever new limits, is a typed error', () => {
    const error = expect.objectContaining({ name: 'InvalidLimitsError', code: 'ERR_WEIR_INVALID_LIMITS' });
    for (const bad of [undefined, null, [], {}, 'free', [tokenBucket({ limit: 1, per: 1 }), {}]]) {
      const { limiter } = make(() => bad as never);
      expect(() => limiter.check('k')).toThrow(error);
    }
    let limit = 0;
    const { limiter } = make(() => fixedWindow({ limit: (limit += 1), per: '1h' }), { maxKeys: 1 });
    for (let i = 0; i < 64; i += 1) limiter.check('k');
    expect(() => limiter.check('k')).toThrow(error);
    limit = 0;
    expect(limiter.check('k')).toMatchObject({ allowed: false, limit: 1 });
  });

  test('counts decisions, and shadow refusals apart', () => {
    const { limiter } = make(fixedWindow({ limit: 2, per: '1h' }), { name: 'counted' });
    for (let i = 0; i < 5; i += 1) limiter.check('k');
    for (let i = 0; i < 4; i += 1) {
      expect(limiter.check('k', { shadow: true }).allowed).toBe(false);
    }
    limiter.check('other', { shadow: true });
    expect(limiter.kind).toBe('limiter');
    expect(limiter.snapshot()).toEqual({
      limits: ['2-per-1h'],
      storage: 'table',
      maxKeys: 100_000,
      keys: 2,
      waiting: 0,
      evicted: 0,
      overflowed: 0,
      allowed: 3,
      refused: 3,
      shadowRefused: 4,
    });
    expect(
      limiter
        .metrics()
        .map(({ name, type, labels, ...rest }) => [name, type, labels, 'value' in rest && rest.value]),
    ).toEqual([
      ['weir_rate_limit_decisions_total', 'counter', { limiter: 'counted', outcome: 'allowed' }, 3],
      ['weir_rate_limit_decisions_total', 'counter', { limiter: 'counted', outcome: 'refused' }, 3],
      ['weir_rate_limit_decisions_total', 'counter', { limiter: 'counted', outcome: 'shadow_refused' }, 4],
      ['weir_rate_limit_keys', 'gauge', { limiter: 'counted' }, 2],
      ['weir_rate_limit_waiting', 'gauge', { limiter: 'counted' }, 0],
      ['weir_rate_limit_evictions_total', 'counter', { limiter: 'counted' }, 0],
      ['weir_rate_limit_overflows_total', 'counter', { limiter: 'counted' }, 0],
    ]);
    expect(JSON.stringify([limiter.snapshot(), limiter.metrics()])).not.toContain('other');
  });

  test('is named by the user, or numbered', () => {
    const name = (limiter: Limiter): string => limiter.name;
    const limits = fixedWindow({ limit: 1, per: 1 });
    expect(name(createLimiter({ limits, name: 'mine' }))).toBe('mine');
    expect(name(createLimiter({ limits }))).toMatch(/^limiter-\d+$/);
  });

  test('takes a coarse clock, and a clock that starts at 0 or in the past of 1970', () => {
    const clock = coarseClock();
    const coarse = createLimiter({ limits: tokenBucket({ limit: 1, per: '1h' }), clock });
    expect([coarse.check('k').allowed, coarse.check('k').allowed]).toEqual([true, false]);
    clock.close();
    for (const [, algorithm] of algorithms) {
      const old = createLimiter({ limits: algorithm(1, 1000), clock: new ManualClock(0, -5000) });
      expect([old.check('k').allowed, old.check('k').allowed]).toEqual([true, false]);
    }
  });

  test('a wall clock that is set changes nothing', () => {
    const { limiter, clock } = make(fixedWindow({ limit: 1, per: '1m' }));
    limiter.check('k');
    const { retryAfterMs } = limiter.check('k');
    clock.setEpoch(0);
    expect(limiter.check('k').retryAfterMs).toBe(retryAfterMs);
    clock.advance(retryAfterMs);
    expect(limiter.check('k').allowed).toBe(true);
  });

  test('never changes or keeps what it is given', () => {
    const first = fixedWindow({ limit: 5, per: '1m', name: 'first' });
    const limits = [first];
    const options = Object.freeze({ limits, maxKeys: 10 });
    const limiter = createLimiter(options);
    limits.push(fixedWindow({ limit: 1, per: '1m', name: 'second' }));
    expect(limiter.check('k').limits).toHaveLength(1);
  });

  const limit = tokenBucket({ limit: 1, per: 1 });
  test.each([
    ['limits', { limits: undefined }],
    ['limits', { limits: [] }],
    ['limits', { limits: {} }],
    ['limits', { limits: [limit, limit] }],
    ['limits', { limits: [limit, null] }],
    [
      'limits',
      { limits: Array.from({ length: 17 }, (_, i) => fixedWindow({ limit: 1, per: 1, name: `${i}` })) },
    ],
    ['maxKeys', { maxKeys: 0 }],
    ['maxKeys', { maxKeys: 1.5 }],
    ['maxKeys', { maxKeys: 2 ** 24 + 1 }],
    ['maxWaiting', { maxWaiting: -1 }],
    ['name', { name: '' }],
    ['clock', { clock: Date }],
    ['clock', { clock: null }],
    ['storage', { storage: new Map() }],
    ['timeout', { timeout: 5 }],
  ])('refuses a bad `%s`: %o', (option, bad) => {
    expect(() => createLimiter({ limits: limit, ...(bad as object) })).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option }),
    );
  });

  test('refuses bad options of the table', () => {
    for (const seed of [5, [1], [1, 2, 3], [1, 0.5], ['1', '2']]) {
      expect(() => tableStorage({ seed: seed as never })).toThrow(
        expect.objectContaining({ option: 'seed' }),
      );
    }
    expect(() => tableStorage({ size: 5 } as never)).toThrow(expect.objectContaining({ option: 'size' }));
    expect(mapStorage().kind).toBe('map');
  });
});
