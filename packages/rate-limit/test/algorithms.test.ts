import { type Clock, InvalidOptionError } from '@weir/core';
import { seededRandom } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import {
  createLimiter,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  stepOf,
  tokenBucket,
} from '../src/index.ts';
import {
  type Model,
  PlainBucket,
  PlainFixedWindow,
  PlainSlidingLog,
  PlainSlidingWindow,
  type Said,
  type Shape,
} from './models.ts';

const epoch = 1_700_000_000_000;

/** A clock that may jump, with the limiter's tick beside it. */
class Jumping implements Clock {
  ms = 0;
  now(): number {
    return this.ms;
  }
  epoch(): number {
    return epoch + Math.floor(this.ms);
  }
}

interface Algorithm {
  readonly name: string;
  readonly largest: number;
  readonly make: (shape: Shape) => Limit;
  readonly model: (shape: Shape) => Model;
}

const algorithms: readonly Algorithm[] = [
  {
    name: 'fixedWindow',
    largest: 1e6,
    make: ({ limit, perMs }) => fixedWindow({ limit, per: perMs }),
    model: (shape) => new PlainFixedWindow(shape),
  },
  {
    name: 'slidingLog',
    largest: 40,
    make: ({ limit, perMs }) => slidingLog({ limit, per: perMs }),
    model: (shape) => new PlainSlidingLog(shape),
  },
  {
    name: 'slidingWindow',
    largest: 1000,
    make: ({ limit, perMs }) => slidingWindow({ limit, per: perMs }),
    model: (shape) => new PlainSlidingWindow(shape),
  },
  {
    name: 'tokenBucket',
    largest: 1e6,
    make: ({ limit, perMs, capacity }) => tokenBucket({ limit, per: perMs, burst: capacity }),
    model: (shape) => new PlainBucket(shape),
  },
  {
    name: 'leakyBucket',
    largest: 1e6,
    make: ({ limit, perMs, capacity }) => leakyBucket({ limit, per: perMs, capacity }),
    model: (shape) => new PlainBucket(shape),
  },
];
const windowed = new Set(['fixedWindow', 'slidingLog', 'slidingWindow']);

/** Numbers of all sizes are about as frequent. */
const upTo = (largest: number, random: () => number): number =>
  Math.max(1, Math.min(largest, Math.round(largest ** random())));

function shapes(algorithm: Algorithm, random: () => number): Shape {
  const limit = upTo(algorithm.largest, random);
  const perMs = upTo(random() < 0.1 ? 60 * 86_400_000 : 100_000, random);
  return { limit, perMs, capacity: windowed.has(algorithm.name) ? limit : upTo(algorithm.largest, random) };
}

/** Lets time pass: mostly a little, now and then far, now and then backwards. */
function pass(clock: Jumping, { limit, perMs }: Shape, random: () => number): void {
  const dice = random();
  if (dice < 0.25) return;
  if (dice < 0.9) clock.ms += (random() * 3 * perMs) / Math.min(limit, 50);
  else if (dice < 0.96) clock.ms += random() * 2.5 * perMs;
  else if (dice < 0.98) clock.ms += 3_600_000 * random();
  else clock.ms -= Math.min(clock.ms, 3_600_000 * random());
}

const pick = ({ allowed, remaining, retryAfterMs, resetMs }: Said): Said => ({
  allowed,
  remaining,
  retryAfterMs,
  resetMs,
});
const same = (a: Said, b: Said): boolean =>
  a.allowed === b.allowed &&
  a.remaining === b.remaining &&
  a.retryAfterMs === b.retryAfterMs &&
  a.resetMs === b.resetMs;

describe.each(algorithms)('$name', (algorithm) => {
  test('says what its plain model says in 200,000 random steps, whatever the clock does', () => {
    const random = seededRandom(4);
    const steps = 5000;
    for (let round = 0; round < 40; round += 1) {
      const shape = shapes(algorithm, random);
      const clock = new Jumping();
      const limiter = createLimiter({ limits: algorithm.make(shape), clock, maxKeys: 4 });
      const model = algorithm.model(shape);
      let latest = 0;
      for (let step = 0; step < steps; step += 1) {
        pass(clock, shape, random);
        latest = Math.max(latest, Math.floor(clock.ms * 1024));
        const now = epoch * 1024 + latest;
        const cost = random() < 0.6 ? 1 : Math.floor(random() * random() * (shape.capacity + 2));
        const dice = random();
        if (dice < 0.02) {
          limiter.refund('k', cost);
          model.refund(now, cost);
        } else if (dice < 0.04) {
          limiter.charge('k', cost);
          model.charge(now, cost);
        } else {
          const peeks = dice < 0.2;
          const said = peeks ? limiter.peek('k', { cost }) : limiter.check('k', { cost });
          const modelled = peeks ? model.peek(now, cost) : model.check(now, cost);
          // Told apart here, since an assertion for each of a million steps would take longer than all else.
          if (!same(said, modelled)) {
            expect({ shape, step, cost, ...pick(said) }).toEqual({ shape, step, cost, ...modelled });
          }
        }
      }
    }
  });

  test('is a pure step, of which the limiter makes the same use', () => {
    const random = seededRandom(5);
    for (let round = 0; round < 30; round += 1) {
      const shape = shapes(algorithm, random);
      const limit = algorithm.make(shape);
      const clock = new Jumping();
      const limiter = createLimiter({ limits: limit, clock, maxKeys: 4 });
      const step = stepOf(limit);
      let state: readonly number[] = [];
      for (let i = 0; i < 200; i += 1) {
        clock.ms += (random() * 3 * shape.perMs) / Math.min(shape.limit, 50);
        const cost = Math.floor(random() * 3);
        const now = epoch * 1024 + Math.floor(clock.ms * 1024);
        const frozen = Object.freeze([...state]);
        const [next, decision] = step(frozen, now, cost);
        expect(pick({ ...decision, allowed: decision.retryAfterMs === 0 })).toEqual(
          pick(limiter.check('k', { cost })),
        );
        if (decision.retryAfterMs > 0) {
          expect(step(next, now, 0)[1].remaining).toBe(decision.remaining);
        }
        state = next;
      }
    }
  });

  test('admits a retry at the very instant it named, and not a millisecond before', () => {
    const random = seededRandom(6);
    let refusals = 0;
    for (let round = 0; round < 60; round += 1) {
      const shape = shapes(algorithm, random);
      const clock = new Jumping();
      clock.ms = random() * 1000;
      const limiter = createLimiter({ limits: algorithm.make(shape), clock, maxKeys: 4 });
      for (let i = 0; i < 200; i += 1) {
        clock.ms += (random() * shape.perMs) / shape.limit;
        const cost = 1 + Math.floor(random() * shape.capacity);
        const { allowed, retryAfterMs } = limiter.check('k', { cost });
        if (allowed) continue;
        refusals += 1;
        const then = clock.ms + retryAfterMs;
        clock.ms = then - 1;
        expect(limiter.peek('k', { cost }).allowed).toBe(false);
        clock.ms = then;
        expect(limiter.check('k', { cost }).allowed).toBe(true);
      }
    }
    expect(refusals).toBeGreaterThan(1000);
  });

  test('never admits a cost above its size, and says so', () => {
    const limiter = createLimiter({ limits: algorithm.make({ limit: 5, perMs: 1000, capacity: 5 }) });
    expect(limiter.check('k', { cost: 6 })).toMatchObject({
      allowed: false,
      remaining: 5,
      retryAfterMs: Number.POSITIVE_INFINITY,
    });
    expect(limiter.check('k', { cost: 5 })).toMatchObject({ allowed: true, remaining: 0 });
  });

  test('holds at limit 1 in windows from 1 ms to 60 days', () => {
    for (const perMs of [1, 2, 500, 1000, 86_400_000 * 25, 86_400_000 * 60]) {
      const clock = new Jumping();
      const limiter = createLimiter({
        limits: algorithm.make({ limit: 1, perMs, capacity: 1 }),
        clock,
      });
      expect(limiter.check('k').allowed).toBe(true);
      const { allowed, retryAfterMs } = limiter.check('k');
      expect(allowed).toBe(false);
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(perMs * 2);
      clock.ms += retryAfterMs;
      expect(limiter.check('k').allowed).toBe(true);
    }
  });

  test('neither locks out nor forgets when a clock is set back or forward an hour', () => {
    const clock = new Jumping();
    clock.ms = 7_200_000;
    const limiter = createLimiter({
      limits: algorithm.make({ limit: 2, perMs: 60_000, capacity: 2 }),
      clock,
    });
    limiter.check('k', { cost: 2 });
    clock.ms -= 3_600_000;
    const { allowed, retryAfterMs } = limiter.check('k');
    expect(allowed).toBe(false);
    expect(retryAfterMs).toBeLessThanOrEqual(120_000);
    clock.ms += 3_600_000 + retryAfterMs;
    expect(limiter.check('k').allowed).toBe(true);
  });

  test.each([
    ['limit', { limit: 0 }],
    ['limit', { limit: -1 }],
    ['limit', { limit: 1.5 }],
    ['limit', { limit: Number.NaN }],
    ['limit', { limit: '10' }],
    ['limit', { limit: 1e12 + 1 }],
    ['per', { per: 0 }],
    ['per', { per: 0.5 }],
    ['per', { per: 1.5 }],
    ['per', { per: '1 minute' }],
    ['per', { per: '367d' }],
    ['per', { per: undefined }],
    ['name', { name: '' }],
    ['name', { name: 'naïve' }],
    ['name', { name: 'a\r\nb' }],
    ['name', { name: 'x'.repeat(101) }],
    ['window', { window: 5 }],
  ])('refuses a bad `%s` by its name: %o', (option, bad) => {
    const factory = { fixedWindow, slidingLog, slidingWindow, tokenBucket, leakyBucket }[algorithm.name]!;
    const make = (): Limit => factory({ limit: 10, per: 1000, ...(bad as object) });
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(expect.objectContaining({ option }));
  });
});

describe('what each algorithm promises', () => {
  /** The most units admitted in any span of `per`, both ends included in the log's sense: hits less than `per` apart. */
  const mostWithin = (hits: readonly number[], per: number): number => {
    let most = 0;
    let from = 0;
    for (let to = 0; to < hits.length; to += 1) {
      while (hits[to]! - hits[from]! >= per) from += 1;
      most = Math.max(most, to - from + 1);
    }
    return most;
  };

  const flood = (limits: Limit, perMs: number, seed: number): number[] => {
    const random = seededRandom(seed);
    const clock = new Jumping();
    const limiter = createLimiter({ limits, clock, maxKeys: 4 });
    const hits: number[] = [];
    for (let i = 0; i < 20_000; i += 1) {
      // Bunched: nothing for a while, then all at once.
      clock.ms += random() < 0.95 ? random() : random() * perMs;
      if (limiter.check('k').allowed) hits.push(Math.floor(clock.ms * 1024));
    }
    return hits;
  };

  test('a sliding log never admits more than the limit in any window', () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const hits = flood(slidingLog({ limit: 100, per: 2000 }), 2000, seed);
      expect(hits.length).toBeGreaterThan(200);
      expect(mostWithin(hits, 2000 * 1024)).toBe(100);
    }
  });

  test('a hit leaves a sliding log when it is exactly one window old', () => {
    const clock = new Jumping();
    const limiter = createLimiter({ limits: slidingLog({ limit: 1, per: 1000 }), clock });
    limiter.check('k');
    clock.ms = 1000 - 1 / 1024;
    expect(limiter.check('k')).toMatchObject({ allowed: false, retryAfterMs: 1 });
    clock.ms = 1000;
    expect(limiter.check('k').allowed).toBe(true);
  });

  test('a bucket admits at most burst + rate x T in any span T', () => {
    for (const make of [
      (limit: number, per: number, burst: number) => tokenBucket({ limit, per, burst }),
      (limit: number, per: number, capacity: number) => leakyBucket({ limit, per, capacity }),
    ]) {
      const hits = flood(make(50, 1000, 20), 1000, 9);
      const perTick = 50 / 1000 / 1024;
      // It is enough to look at spans between admitted hits.
      let tightest = Number.NEGATIVE_INFINITY;
      for (let from = 0; from < hits.length; from += 1) {
        for (let to = from; to < Math.min(hits.length, from + 300); to += 1) {
          tightest = Math.max(tightest, to - from + 1 - 20 - perTick * (hits[to]! - hits[from]!));
        }
      }
      expect(tightest).toBeLessThanOrEqual(1e-9);
      expect(tightest).toBeGreaterThan(-1);
    }
  });

  test('the edge of a fixed window lets up to twice the limit through, and no more', () => {
    const hits = flood(fixedWindow({ limit: 100, per: 2000 }), 2000, 3);
    expect(mostWithin(hits, 2000 * 1024)).toBeGreaterThan(100);
    expect(mostWithin(hits, 2000 * 1024)).toBeLessThanOrEqual(200);
  });

  test('a sliding window counter stays below twice the limit where a fixed window does not stay at it', () => {
    const hits = flood(slidingWindow({ limit: 100, per: 2000 }), 2000, 3);
    const most = mostWithin(hits, 2000 * 1024);
    expect(most).toBeGreaterThanOrEqual(100);
    expect(most).toBeLessThan(200);
  });

  test('a sliding window counter is off by a tenth or so where traffic is spread by chance', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const random = seededRandom(seed);
      const clock = new Jumping();
      const limiter = createLimiter({ limits: slidingWindow({ limit: 100, per: '1m' }), clock, maxKeys: 4 });
      const hits: number[] = [];
      while (clock.ms < 3_600_000) {
        // Poisson arrivals at 1.2 times the limit. The first windows have no even spread behind them.
        clock.ms += -Math.log(1 - random()) * (60_000 / 120);
        if (limiter.check('k').allowed && clock.ms > 120_000) hits.push(clock.ms * 1024);
      }
      expect(mostWithin(hits, 60_000 * 1024)).toBeLessThanOrEqual(115);
      expect(hits.length).toBeGreaterThan(58 * 95);
    }
  });

  test('fixed windows start at whole multiples since 1970', () => {
    const clock = new Jumping();
    const limiter = createLimiter({ limits: fixedWindow({ limit: 1, per: '1h' }), clock });
    limiter.check('k');
    const { retryAfterMs } = limiter.check('k');
    expect((epoch + retryAfterMs) % 3_600_000).toBe(0);
  });

  test('a token is never lost in rounding, however high the rate', () => {
    for (const [limit, perMs] of [
      [2 ** 31, 1],
      [1e12, 1],
      [999_999_999_989, 7],
      [1e9 + 7, 1000],
      [1e12 - 11, 60 * 86_400_000],
      [1, 366 * 86_400_000],
    ] as const) {
      const clock = new Jumping();
      clock.ms = 30 * 86_400_000;
      const limiter = createLimiter({ limits: tokenBucket({ limit, per: perMs }), clock });
      expect(limiter.check('k', { cost: limit }).allowed).toBe(true);
      expect(limiter.check('k').allowed).toBe(false);
      // A day of taking all there is: as many come back as the rate gives.
      let admitted = 0;
      const turns = 500;
      for (let i = 0; i < turns; i += 1) {
        clock.ms += perMs / 4;
        const { remaining } = limiter.peek('k');
        admitted += remaining;
        expect(limiter.check('k', { cost: remaining }).allowed).toBe(true);
        expect(limiter.check('k').allowed).toBe(false);
      }
      expect(Math.abs(admitted - (limit * turns) / 4)).toBeLessThanOrEqual(1 + limit * 1e-9);
    }
  });

  test('a bucket keeps exact time for ever, though its numbers would run out of digits', () => {
    const limiter = (clock: Clock) => createLimiter({ limits: tokenBucket({ limit: 1e12, per: 1 }), clock });
    const clock = new Jumping();
    const long = limiter(clock);
    long.check('k', { cost: 1e12 });
    for (let i = 0; i < 1000; i += 1) {
      clock.ms += 4.5;
      long.check('other');
    }
    clock.ms += 10_000_000;
    expect(long.check('k', { cost: 1e12 })).toMatchObject({ allowed: true, remaining: 0, resetMs: 1 });
    clock.ms += 0.5;
    expect(long.check('k', { cost: 5e11 })).toMatchObject({ allowed: true, remaining: 0, resetMs: 1 });
  });

  test('limits up to 2^31 count every unit, and a sliding log says where it ends', () => {
    const limit = 2 ** 31;
    for (const make of [fixedWindow, slidingWindow, tokenBucket, leakyBucket]) {
      const limiter = createLimiter({ limits: make({ limit, per: '1h' }), clock: new Jumping() });
      expect(limiter.check('k', { cost: limit - 1 })).toMatchObject({ allowed: true, remaining: 1 });
      expect(limiter.check('k')).toMatchObject({ allowed: true, remaining: 0 });
      expect(limiter.check('k').allowed).toBe(false);
    }
    expect(() => slidingLog({ limit: 10_001, per: '1h' })).toThrow(/<= 10000/);
    const log = createLimiter({ limits: slidingLog({ limit: 10_000, per: '1h' }), clock: new Jumping() });
    expect(log.check('k', { cost: 10_000 })).toMatchObject({ allowed: true, remaining: 0 });
    expect(log.check('k').allowed).toBe(false);
  });

  test('a penalty is a debt of at most one whole limit', () => {
    for (const { make } of algorithms) {
      const clock = new Jumping();
      const limiter = createLimiter({ limits: make({ limit: 10, perMs: 1000, capacity: 10 }), clock });
      limiter.charge('k', 1e9);
      expect(limiter.check('k')).toMatchObject({ allowed: false, remaining: 0 });
      expect(limiter.check('k').resetMs).toBeLessThanOrEqual(2000);
      clock.ms += 2000;
      expect(limiter.check('k', { cost: 10 }).allowed).toBe(true);
    }
  });

  test('names a limit by what it allows, unless told otherwise', () => {
    const name = (limit: Limit): string => limit.name;
    expect(
      [
        fixedWindow({ limit: 5, per: '2d' }),
        slidingLog({ limit: 5, per: '3h' }),
        slidingWindow({ limit: 5, per: '1m' }),
        tokenBucket({ limit: 5, per: '10s' }),
        leakyBucket({ limit: 5, per: 1500 }),
        tokenBucket({ limit: 5, per: 1500, name: 'x' }),
      ].map(name),
    ).toEqual(['5-per-2d', '5-per-3h', '5-per-1m', '5-per-10s', '5-per-1500ms', 'x']);
  });

  test('tells a store all that it needs', () => {
    expect(tokenBucket({ limit: 50, per: '1s', burst: 100 })).toMatchObject({
      algorithm: 'token-bucket',
      limit: 50,
      perMs: 1000,
      capacity: 100,
      windowMs: 2000,
    });
    expect(leakyBucket({ limit: 50, per: '1s', capacity: 7 })).toMatchObject({ capacity: 7, windowMs: 140 });
    expect(slidingLog({ limit: 5, per: '1s' })).toMatchObject({ capacity: 5, windowMs: 1000 });
    const ids = [fixedWindow, slidingLog, slidingWindow, tokenBucket, leakyBucket].map(
      (make) => make({ limit: 5, per: 1 }).id,
    );
    expect(new Set(ids).size).toBe(5);
    expect(tokenBucket({ limit: 5, per: 1 }).id).toBe(tokenBucket({ limit: 5, per: '1ms', burst: 5 }).id);
  });
});
