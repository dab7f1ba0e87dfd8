import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { InvalidOptionError } from '@weir/core';
import { ManualClock, seededRandom } from '@weir/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Breaker, type BreakerOptions, countWindow, createBreaker, timeWindow } from '../src/index.ts';

const calls = (breaker: Breaker, outcomes: string): void => {
  for (const outcome of outcomes) {
    const permit = breaker.tryAcquire();
    if (outcome === 'F') breaker.failure(permit);
    else breaker.success(permit);
  }
};

const setup = (options: BreakerOptions = {}) => {
  const clock = new ManualClock();
  return { clock, breaker: createBreaker({ openFor: '10s', clock, ...options }) };
};

const halfOpen = (options: BreakerOptions = {}) => {
  const made = setup({ consecutiveFailures: 1, ...options });
  calls(made.breaker, 'F');
  made.clock.advance('10s');
  return made;
};

describe('windows', () => {
  it('judges by the last calls only, in a count window', () => {
    const { breaker } = setup({ window: countWindow(4), minimumCalls: 4, failureRate: 0.75 });
    calls(breaker, 'FFSSFFSSFF');
    expect(breaker.state).toBe('closed');
    calls(breaker, 'F');
    expect(breaker.state).toBe('open');
  });

  it('opens on so many failures in a row, and on no rate unless one is given', () => {
    const { breaker } = setup({ consecutiveFailures: 3 });
    calls(breaker, 'FFSFFSFFSFFSFF');
    expect(breaker.state).toBe('closed');
    calls(breaker, 'F');
    expect(breaker.state).toBe('open');
    const both = setup({ consecutiveFailures: 3, failureRate: 0.5, minimumCalls: 4 }).breaker;
    calls(both, 'FSFS');
    expect(both.state).toBe('open');
  });

  it('compares the rate exactly where a product would be rounded', () => {
    const { breaker } = setup({ window: countWindow(100), minimumCalls: 100, failureRate: 0.07 });
    calls(breaker, 'S'.repeat(93) + 'F'.repeat(7));
    expect(breaker.state).toBe('open');
  });

  it('takes 0 as a time like any other', () => {
    const clock = new ManualClock(0, 0);
    const breaker = createBreaker({ window: timeWindow(100), minimumCalls: 1, openFor: 100, clock });
    calls(breaker, 'F');
    expect(breaker.state).toBe('open');
    expect(breaker.retryAfterMs).toBe(100);
  });

  it('counts what a list of all calls would count', () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 400 }), failed: fc.boolean() });
    const windows = fc.oneof(
      fc.integer({ min: 1, max: 40 }).map(countWindow),
      fc.constantFrom(100, 1000).map((ms) => timeWindow(ms)),
    );
    fc.assert(
      fc.property(
        windows,
        fc.integer({ min: 0, max: 5000 }),
        fc.array(step, { maxLength: 120 }),
        (window, from, steps) => {
          const clock = new ManualClock(from);
          const breaker = createBreaker({ window, clock, consecutiveFailures: 1000 });
          const all: { at: number; failed: boolean }[] = [];
          for (const { wait, failed } of steps) {
            clock.advance(wait);
            calls(breaker, failed ? 'F' : 'S');
            all.push({ at: clock.now(), failed });
            const width = window.kind === 'time' ? window.length / 10 : 1;
            const inWindow =
              window.kind === 'count'
                ? all.slice(-window.size)
                : all.filter(({ at }) => Math.floor(clock.now() / width) - Math.floor(at / width) < 10);
            expect(breaker.snapshot()).toMatchObject({
              calls: inWindow.length,
              failures: inWindow.filter((call) => call.failed).length,
            });
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('is not disturbed by a clock that goes back', () => {
    let now = 10_000;
    const clock = { now: () => now, epoch: () => 0 };
    const breaker = createBreaker({ clock, window: timeWindow('1s'), minimumCalls: 3, failureRate: 1 });
    calls(breaker, 'FF');
    now = 1000;
    calls(breaker, 'F');
    expect(breaker.state).toBe('open');
    now = 999;
    expect(breaker.tryAcquire()).toBe(0);
    now = 31_001;
    expect(breaker.tryAcquire()).toBeGreaterThan(0);
  });
});

describe('a clock that jumps', () => {
  it('changes nothing if it is the wall clock', () => {
    const { breaker, clock } = setup({ window: timeWindow('10s'), minimumCalls: 3 });
    calls(breaker, 'FF');
    clock.setEpoch(0);
    calls(breaker, 'F');
    expect(breaker.state).toBe('open');
    clock.setEpoch(4_000_000_000_000);
    expect(breaker.retryAfterMs).toBe(10_000);
    clock.setEpoch(0);
    clock.advance('10s');
    expect(breaker.state).toBe('half-open');
  });

  it('forgets the window and lets exactly one probe through after a day was skipped', () => {
    const { breaker, clock } = setup({ window: timeWindow('10s'), minimumCalls: 3 });
    calls(breaker, 'FF');
    clock.advance('1d');
    calls(breaker, 'F');
    expect(breaker.snapshot()).toMatchObject({ state: 'closed', calls: 1 });
    calls(breaker, 'FF');
    clock.advance('1d');
    expect(Array.from({ length: 9 }, () => breaker.tryAcquire()).filter((permit) => permit > 0)).toHaveLength(
      1,
    );
  });
});

describe('slow calls', () => {
  it('opens when too many calls took too long, failed or not', () => {
    const { breaker } = setup({ slowCallAfter: 100, slowCallRate: 0.5, minimumCalls: 4 });
    for (const ms of [100, 101, 100, 101]) {
      expect(breaker.state).toBe('closed');
      breaker.success(breaker.tryAcquire(), ms);
    }
    expect(breaker.state).toBe('open');
  });

  it('measures a call itself if it is not told how long it took', () => {
    const { breaker, clock } = setup({ slowCallAfter: 100, minimumCalls: 2 });
    const permits = [breaker.tryAcquire(), breaker.tryAcquire()];
    clock.advance(101);
    for (const permit of permits) breaker.success(permit);
    expect(breaker.state).toBe('open');
  });

  it('opens while calls hang, before any has ended', () => {
    const { breaker, clock } = setup({ slowCallAfter: 100, slowCallRate: 0.5, minimumCalls: 4 });
    for (let i = 0; i < 4; i += 1) breaker.tryAcquire();
    clock.advance(100);
    expect(breaker.tryAcquire()).toBeGreaterThan(0);
    clock.advance(1);
    expect(breaker.tryAcquire()).toBe(0);
    expect(breaker.state).toBe('open');
  });

  it('counts a call that has become slow once when it ends', () => {
    const { breaker, clock } = setup({ slowCallAfter: 100, minimumCalls: 3 });
    const slow = breaker.tryAcquire();
    clock.advance(200);
    calls(breaker, 'S');
    breaker.success(slow);
    expect(breaker.snapshot()).toMatchObject({ calls: 2, slow: 1, inFlight: 0 });
  });

  it('gives up a permit that never comes back, as one slow call', () => {
    const { breaker, clock } = setup({ slowCallAfter: 100, probeLease: 1000 });
    const forgotten = breaker.tryAcquire();
    clock.advance(200);
    calls(breaker, 'S');
    expect(breaker.snapshot()).toMatchObject({ inFlight: 1, slow: 0 });
    clock.advance(800);
    calls(breaker, 'S');
    expect(breaker.snapshot()).toMatchObject({ inFlight: 0, slow: 1, calls: 3 });
    breaker.failure(forgotten);
    expect(breaker.snapshot()).toMatchObject({ failures: 0 });
  });

  it('opens again after a slow probe', () => {
    const { breaker, clock } = halfOpen({ slowCallAfter: 100 });
    const probe = breaker.tryAcquire();
    clock.advance(101);
    breaker.success(probe);
    expect(breaker.state).toBe('open');
  });
});

describe('permits', () => {
  it('admits exactly as many probes as asked for, of 10,000 at once', () => {
    const { breaker } = halfOpen({ halfOpenCalls: 3 });
    const permits = Array.from({ length: 10_000 }, () => breaker.tryAcquire());
    const probes = permits.filter((permit) => permit > 0);
    expect(probes).toHaveLength(3);
    expect(new Set(probes).size).toBe(3);
    breaker.success(probes[0]!);
    expect(breaker.tryAcquire()).toBe(0);
    breaker.success(probes[1]!);
    expect(breaker.state).toBe('half-open');
    breaker.success(probes[2]!);
    expect(breaker.state).toBe('closed');
  });

  it('counts a probe that is reported twice once', () => {
    const { breaker } = halfOpen({ halfOpenCalls: 2 });
    const probe = breaker.tryAcquire();
    breaker.success(probe);
    breaker.success(probe);
    expect(breaker.state).toBe('half-open');
    breaker.failure(probe);
    expect(breaker.state).toBe('half-open');
  });

  it('counts a lone call that is reported twice once', () => {
    const { breaker } = setup();
    const permit = breaker.tryAcquire();
    breaker.failure(permit);
    breaker.failure(permit);
    breaker.failure(0);
    expect(breaker.snapshot()).toMatchObject({ calls: 1, failures: 1, inFlight: 0 });
  });

  it('gives an ignored probe to the next call', () => {
    const { breaker } = halfOpen();
    for (let i = 0; i < 100; i += 1) breaker.ignore(breaker.tryAcquire());
    expect(breaker.state).toBe('half-open');
    calls(breaker, 'S');
    expect(breaker.state).toBe('closed');
  });

  it('gives the place of a forgotten probe away when its lease is over', () => {
    const { breaker, clock } = halfOpen({ halfOpenCalls: 2, probeLease: '1m' });
    const [first, second] = [breaker.tryAcquire(), breaker.tryAcquire()];
    clock.advance(59_999);
    expect(breaker.tryAcquire()).toBe(0);
    clock.advance(1);
    const third = breaker.tryAcquire();
    expect(third).toBeGreaterThan(0);
    breaker.failure(first);
    expect(breaker.state).toBe('half-open');
    breaker.success(second);
    breaker.success(third);
    expect(breaker.state).toBe('closed');
  });

  it.each([
    ['calls that are not told apart', {}],
    ['calls that are told apart by their age', { slowCallAfter: '1d' }],
  ] as const)(
    'behaves like a plain model, whatever is reported in whatever order, with %s',
    (_what, more) => {
      const command = fc.oneof(
        { weight: 4, arbitrary: fc.constant('acquire' as const) },
        {
          weight: 3,
          arbitrary: fc.tuple(fc.constantFrom('success', 'failure', 'ignore', 'again'), fc.nat()),
        },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 1500 }) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('forceOpen' as const, 'forceClose' as const, 'reset' as const),
        },
      );
      fc.assert(
        fc.property(
          fc.array(command, { maxLength: 150 }),
          fc.integer({ min: 1, max: 3 }),
          (commands, probes) => {
            const clock = new ManualClock();
            const breaker = createBreaker({
              window: countWindow(5),
              minimumCalls: 3,
              failureRate: 0.6,
              openFor: 1000,
              maxOpenFor: 4000,
              halfOpenCalls: probes,
              probeLease: 2000,
              clock,
              ...more,
            });
            const model = new Model(probes);
            const held: { permit: number; call: Call | undefined }[] = [];
            const reported: number[] = [];
            for (const each of commands) {
              if (each === 'acquire') {
                const permit = breaker.tryAcquire();
                const call = model.acquire(clock.now());
                expect(permit > 0).toBe(call !== undefined);
                if (permit > 0) held.push({ permit, call });
              } else if (typeof each === 'number') {
                clock.advance(each);
              } else if (typeof each === 'string') {
                breaker[each]();
                model[each]();
              } else if (each[0] === 'again') {
                // Documented: while closed, with ages off, a second report cannot be told from another call's.
                const permit = reported[each[1] % reported.length];
                const apart = 'slowCallAfter' in more ? !model.forced : breaker.state !== 'closed';
                if (permit !== undefined && apart) breaker[each[1] % 2 === 0 ? 'failure' : 'success'](permit);
              } else if (held.length > 0) {
                const [what, index] = each as ['success' | 'failure' | 'ignore', number];
                const [{ permit, call }] = held.splice(index % held.length, 1) as [(typeof held)[0]];
                breaker[what](permit);
                reported.push(permit);
                model.report(call!, what, clock.now());
              }
              expect(breaker.state).toBe(model.stateAt(clock.now()));
              const { results } = model;
              expect(breaker.snapshot()).toMatchObject({
                inFlight: held.filter(({ call }) => model.awaits(call!)).length,
                ...(model.state === 'closed' && !model.forced
                  ? { calls: results.length, failures: results.filter(Boolean).length }
                  : {}),
              });
            }
          },
        ),
        { numRuns: 400 },
      );
    },
  );
});

interface Call {
  readonly period: object;
  readonly began: number;
}

/** The same rules with lists and objects in place of counters and numbers. */
class Model {
  state: 'closed' | 'open' | 'half-open' = 'closed';
  forced = false;
  period = {};
  results: boolean[] = [];
  probes: Call[] = [];
  passed = 0;
  rounds = 0;
  until = 0;
  readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  enter(state: Model['state'], forced = false): void {
    Object.assign(this, { state, forced, period: {}, probes: [], passed: 0, results: [] });
    if (state === 'closed') this.rounds = 0;
  }

  stateAt(now: number): string {
    return this.state === 'open' && !this.forced && now >= this.until ? 'half-open' : this.state;
  }

  awaits(call: Call): boolean {
    return call.period === this.period && (this.state !== 'half-open' || this.probes.includes(call));
  }

  acquire(now: number): Call | undefined {
    if (this.stateAt(now) === 'half-open' && this.state === 'open') this.enter('half-open');
    if (this.state === 'open') return undefined;
    const call = { period: this.period, began: now };
    if (this.state === 'closed') return call;
    if (this.probes.length + this.passed >= this.limit) {
      const lapsed = this.probes.findIndex(({ began }) => now - began >= 2000);
      if (lapsed === -1) return undefined;
      this.probes.splice(lapsed, 1);
    }
    this.probes.push(call);
    return call;
  }

  report(call: Call, what: string, now: number): void {
    if (call.period !== this.period || this.forced) return;
    if (this.state === 'half-open') {
      const at = this.probes.indexOf(call);
      if (at === -1) return;
      this.probes.splice(at, 1);
      if (what === 'failure') this.open(this.rounds + 1, now);
      if (what === 'success' && ++this.passed === this.limit) this.enter('closed');
    } else if (what !== 'ignore') {
      this.results = [...this.results, what === 'failure'].slice(-5);
      const failures = this.results.filter(Boolean).length;
      if (failures > 0 && this.results.length >= 3 && failures / this.results.length >= 0.6)
        this.open(0, now);
    }
  }

  open(rounds: number, now: number): void {
    this.rounds = rounds;
    this.until = now + Math.min(1000 * 2 ** rounds, 4000);
    this.enter('open');
  }

  forceOpen(): void {
    this.enter('open', true);
  }

  forceClose(): void {
    this.enter('closed', true);
  }

  reset(): void {
    this.enter('closed');
  }
}

describe('the time open', () => {
  const round = (breaker: Breaker): number => {
    calls(breaker, 'F');
    return breaker.retryAfterMs;
  };

  it('stays the same unless it may grow, then doubles with each failed round up to its limit', () => {
    const same = setup({ consecutiveFailures: 1 });
    const growing = setup({ consecutiveFailures: 1, maxOpenFor: '35s' });
    for (const [plain, grown] of [
      [10, 10],
      [10, 20],
      [10, 35],
      [10, 35],
    ] as const) {
      expect(round(same.breaker)).toBe(plain * 1000);
      expect(round(growing.breaker)).toBe(grown * 1000);
      same.clock.advance('10s');
      growing.clock.advance('35s');
    }
    calls(growing.breaker, 'S');
    expect(round(growing.breaker)).toBe(10_000);
  });

  it('is shortened by a random share', () => {
    const { breaker } = setup({ consecutiveFailures: 1, jitter: 0.5, random: () => 0.5 });
    expect(round(breaker)).toBe(7500);
    const spread = Array.from({ length: 200 }, (_, seed) =>
      round(setup({ consecutiveFailures: 1, jitter: 0.2, random: seededRandom(seed) }).breaker),
    );
    expect(Math.min(...spread)).toBeGreaterThan(8000);
    expect(Math.max(...spread)).toBeLessThanOrEqual(10_000);
    expect(new Set(spread).size).toBeGreaterThan(150);
  });

  it('is at least what the service asked for, up to an hour', () => {
    const { breaker } = setup({ consecutiveFailures: 1 });
    breaker.failure(breaker.tryAcquire(), 5, 25_000);
    expect(breaker.retryAfterMs).toBe(25_000);
    const short = setup({ consecutiveFailures: 1 }).breaker;
    short.failure(short.tryAcquire(), 5, 10);
    expect(short.retryAfterMs).toBe(10_000);
    const endless = setup({ consecutiveFailures: 1 }).breaker;
    endless.failure(endless.tryAcquire(), 5, Number.MAX_VALUE);
    expect(endless.retryAfterMs).toBe(3_600_000);
  });

  it('takes what an error says about when to come back', async () => {
    const { breaker } = setup({ consecutiveFailures: 1 });
    const busy = Object.assign(new Error('busy'), { retryAfterMs: 60_000 });
    await expect(breaker.execute(() => Promise.reject(busy))).rejects.toBe(busy);
    expect(breaker.retryAfterMs).toBe(60_000);
  });
});

it('admits a growing share of calls after it has closed, a tenth at first', () => {
  const { breaker, clock } = halfOpen({ rampUp: '10s', random: seededRandom(1) });
  calls(breaker, 'S');
  const share = (): number => {
    const permits = Array.from({ length: 1000 }, () => breaker.tryAcquire()).filter((permit) => permit > 0);
    for (const permit of permits) breaker.success(permit);
    return permits.length / 1000;
  };
  expect(share()).toBeCloseTo(0.1, 1);
  clock.advance('5s');
  expect(share()).toBeCloseTo(0.5, 1);
  clock.advance('5s');
  expect(share()).toBe(1);
});

describe('saving', () => {
  const twin = (clock: ManualClock) =>
    createBreaker({ openFor: '10s', maxOpenFor: '40s', consecutiveFailures: 1, clock });

  it('goes on in another process where it was', () => {
    const old = setup({ consecutiveFailures: 1, maxOpenFor: '40s' });
    calls(old.breaker, 'F');
    old.clock.advance('10s');
    calls(old.breaker, 'F');
    const saved = JSON.parse(JSON.stringify(old.breaker.save()));
    const clock = new ManualClock(5, old.clock.epoch() + 4000);
    const fresh = twin(clock);
    fresh.restore(saved);
    expect(fresh.retryAfterMs).toBe(16_000);
    clock.advance('16s');
    calls(fresh, 'F');
    expect(fresh.retryAfterMs).toBe(40_000);
  });

  it('is half-open after an old state, and open for a limited time after one from the future', () => {
    const old = setup({ consecutiveFailures: 1 });
    calls(old.breaker, 'F');
    const saved = old.breaker.save();
    const later = twin(new ManualClock(0, old.clock.epoch() + 86_400_000));
    later.restore(saved);
    expect(later.state).toBe('half-open');
    const earlier = twin(new ManualClock(0, old.clock.epoch() - 86_400_000));
    earlier.restore(saved);
    expect(earlier.retryAfterMs).toBe(40_000);
  });

  it('keeps what an operator forced', () => {
    const { breaker, clock } = setup();
    for (const force of ['forceOpen', 'forceClose'] as const) {
      breaker[force]();
      const fresh = twin(clock);
      fresh.restore(breaker.save());
      clock.advance('1h');
      expect(fresh.state).toBe(force === 'forceOpen' ? 'open' : 'closed');
      expect(fresh.snapshot()).toMatchObject({ forced: true });
    }
  });

  it('ignores permits from before', () => {
    const { breaker } = setup({ consecutiveFailures: 1 });
    const permit = breaker.tryAcquire();
    breaker.restore(breaker.save());
    breaker.failure(permit);
    expect(breaker.state).toBe('closed');
  });

  it.each([null, {}, { state: 'ajar' }, { state: 'open', forced: false, failedRounds: -1, openUntil: 0 }])(
    'refuses %j',
    (saved) => {
      expect(() => setup().breaker.restore(saved as never)).toThrow(InvalidOptionError);
    },
  );
});

describe('changes of state', () => {
  const subscribed = (listen: (change: unknown) => void, run: () => void): void => {
    subscribe('weir:circuit-breaker:state', listen);
    try {
      run();
    } finally {
      unsubscribe('weir:circuit-breaker:state', listen);
    }
  };

  it('are published, each once', () => {
    const { breaker, clock } = setup({ name: 'prices', consecutiveFailures: 1 });
    const changes: unknown[] = [];
    subscribed(
      (change) => void changes.push(change),
      () => {
        calls(breaker, 'F');
        clock.advance('10s');
        calls(breaker, 'S');
        breaker.reset();
        breaker.forceOpen();
      },
    );
    calls(setup({ consecutiveFailures: 1 }).breaker, 'F');
    expect(changes).toEqual(
      [
        ['closed', 'open'],
        ['open', 'half-open'],
        ['half-open', 'closed'],
        ['closed', 'open'],
      ].map(([from, to]) => ({ breaker: 'prices', from, to })),
    );
  });

  it('go on though a listener throws', async () => {
    const fault = new Error('listener');
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    try {
      const { breaker } = setup({ consecutiveFailures: 1 });
      subscribed(
        () => {
          throw fault;
        },
        () => calls(breaker, 'F'),
      );
      expect(breaker.state).toBe('open');
      expect(await thrown).toBe(fault);
    } finally {
      for (const other of others) process.on('uncaughtException', other);
    }
  });

  it.each(['forceOpen', 'forceClose', 'reset'] as const)(
    'bear a listener that calls %s in the middle of one',
    (control) => {
      for (const options of [{}, { slowCallAfter: 100 }]) {
        const { breaker, clock } = setup({ consecutiveFailures: 1, ...options });
        calls(breaker, 'F');
        clock.advance('10s');
        let permit = -1;
        subscribed(
          (change) => {
            if ((change as { to: string }).to === 'half-open') breaker[control]();
          },
          () => {
            permit = breaker.tryAcquire();
          },
        );
        expect(permit).toBe(0);
        expect(breaker.state).toBe(control === 'forceOpen' ? 'open' : 'closed');
        expect(breaker.snapshot()).toMatchObject({ inFlight: 0, forced: control !== 'reset' });
      }
    },
  );
});

describe('options', () => {
  it.each([
    ['failureRate', 0],
    ['failureRate', 1.01],
    ['failureRate', Number.NaN],
    ['slowCallRate', 0],
    ['slowCallAfter', 0],
    ['window', 10],
    ['window', { kind: 'count', size: 0 }],
    ['consecutiveFailures', 0],
    ['minimumCalls', 0],
    ['openFor', 0],
    ['openFor', 'soon'],
    ['maxOpenFor', 1],
    ['jitter', 1.5],
    ['halfOpenCalls', 0],
    ['halfOpenCalls', 1.5],
    ['probeLease', 0],
    ['rampUp', -1],
    ['name', ''],
    ['resetTimeout', 1000],
  ])('refuses %s of %j by name', (option, value) => {
    const options = { ...(option === 'slowCallRate' ? { slowCallAfter: 1 } : {}), [option]: value };
    expect(() => createBreaker(options as BreakerOptions)).toThrow(expect.objectContaining({ option }));
  });

  it('refuses windows of nothing, a slow rate without a threshold, and more calls than a window holds', () => {
    expect(() => countWindow(0)).toThrow(InvalidOptionError);
    expect(() => timeWindow(0)).toThrow(InvalidOptionError);
    expect(() => createBreaker({ slowCallRate: 0.5 })).toThrow(
      expect.objectContaining({ option: 'slowCallAfter' }),
    );
    expect(() => createBreaker({ window: countWindow(5), minimumCalls: 6 })).toThrow(
      expect.objectContaining({ option: 'minimumCalls' }),
    );
  });

  it('refuses a deadline that is none without losing a permit', async () => {
    const { breaker } = halfOpen();
    for (const deadline of [-1, 0, '30d'] as const) {
      await expect(breaker.execute(() => 1, { deadline })).rejects.toBeInstanceOf(InvalidOptionError);
    }
    expect(await breaker.execute(() => 1)).toBe(1);
  });

  it('neither changes nor keeps the options', () => {
    const options = Object.freeze({ window: Object.freeze(countWindow(2)), failureRate: 1, minimumCalls: 2 });
    const [one, other] = [createBreaker(options), createBreaker(options)];
    calls(one, 'FF');
    expect([one.state, other.state]).toEqual(['open', 'closed']);
  });
});

it('lets the process exit with breakers open and calls under way', () => {
  const script = `
    const { createBreaker } = await import('@weir/circuit-breaker');
    const { createOpossumBreaker } = await import('@weir/circuit-breaker/opossum');
    for (const breaker of [createBreaker({ minimumCalls: 1 }), createOpossumBreaker({ minimumCalls: 1 })]) {
      breaker.execute(() => new Promise(() => {}), { deadline: '1h' }).catch(() => {});
      await breaker.execute(() => Promise.reject(new Error('down')), { deadline: '1h' }).catch(() => {});
      console.log(breaker.state);
    }`;
  const args = ['--conditions=@weir/source', '--input-type=module', '--eval', script];
  const output = execFileSync(process.execPath, args, {
    cwd: import.meta.dirname,
    timeout: 15_000,
    encoding: 'utf8',
  });
  expect(output).toBe('open\nopen\n');
});
