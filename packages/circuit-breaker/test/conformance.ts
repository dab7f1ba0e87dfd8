import type { Awaitable } from '@weir/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BreakerState, CallBreaker, Verdict } from '../src/index.ts';

/** What every engine understands. */
export interface CommonOptions {
  readonly name?: string;
  readonly failureRate: number;
  readonly minimumCalls: number;
  readonly openFor: number;
  readonly probeLease: number;
}

/** What an engine cannot do as the interface says, each with a test of what it does instead. */
export interface Deviations {
  /** An ignored probe opens the circuit again, instead of giving its place to the next call. */
  readonly ignoredProbeOpens: boolean;
  /** A lapsed lease opens the circuit again, instead of giving the place to the next call. */
  readonly lapsedLeaseOpens: boolean;
  /** Calls under way count as calls that did not fail. */
  readonly countsCallsUnderWay: boolean;
  /** Only a failure opens it, not a success that makes up the minimum. */
  readonly opensOnFailuresOnly: boolean;
}

const faithful: Deviations = {
  ignoredProbeOpens: false,
  lapsedLeaseOpens: false,
  countsCallsUnderWay: false,
  opensOnFailuresOnly: false,
};

const down = new Error('down');

export const pass = (breaker: CallBreaker): Promise<number> => breaker.execute(() => 1);
export const fail = (breaker: CallBreaker, times = 1): Promise<unknown> =>
  Promise.all(
    Array.from({ length: times }, () => breaker.execute(() => Promise.reject(down)).catch(() => {})),
  );

/** A call that ends when it is told to. */
export function pending(breaker: CallBreaker, classify?: () => Verdict) {
  let started = false;
  let settle: { resolve: () => void; reject: () => void } = { resolve() {}, reject() {} };
  const work = (): Awaitable<void> =>
    new Promise((resolve, reject) => {
      started = true;
      settle = { resolve, reject: () => reject(down) };
    });
  const options = classify === undefined ? [] : [{ classify }];
  const ended = breaker.execute(work, ...options).then(
    () => 'resolved',
    (error: { code?: string }) => error.code ?? 'rejected',
  );
  return {
    get started() {
      return started;
    },
    ended,
    succeed: () => settle.resolve(),
    fail: () => settle.reject(),
  };
}

/** The one suite that both engines pass. Time is vitest's, for timers and `performance.now()` alike. */
export function conformance(
  engine: string,
  make: (options: CommonOptions) => CallBreaker,
  deviations: Partial<Deviations> = {},
): void {
  const deviates = { ...faithful, ...deviations };
  const options: CommonOptions = { failureRate: 0.5, minimumCalls: 4, openFor: 1000, probeLease: 5000 };
  const opened = async (): Promise<CallBreaker> => {
    const breaker = make(options);
    await fail(breaker, 4);
    expect(breaker.state).toBe('open');
    return breaker;
  };
  const halfOpen = async (): Promise<CallBreaker> => {
    const breaker = await opened();
    await vi.advanceTimersByTimeAsync(1000);
    expect(breaker.state).toBe('half-open');
    return breaker;
  };

  describe(`${engine}, as a breaker that wraps calls`, () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    beforeEach(() => {
      unhandled.length = 0;
      process.on('unhandledRejection', note);
      vi.useFakeTimers({
        toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
      });
    });
    afterEach(async () => {
      vi.useRealTimers();
      await new Promise((resolve) => setImmediate(resolve));
      process.off('unhandledRejection', note);
      expect(unhandled).toEqual([]);
    });

    it('starts closed and passes on what the call returns and throws', async () => {
      const breaker = make({ ...options, name: 'prices' });
      expect([breaker.kind, breaker.name, breaker.state]).toEqual(['breaker', 'prices', 'closed']);
      await expect(breaker.execute(() => 7)).resolves.toBe(7);
      await expect(breaker.execute(async () => 'x')).resolves.toBe('x');
      await expect(breaker.execute(() => Promise.reject(down))).rejects.toBe(down);
    });

    it('counts a call that returns undefined as a success and one that throws at once as a failure', async () => {
      const breaker = make(options);
      for (let i = 0; i < 4; i += 1) await expect(breaker.execute(() => undefined)).resolves.toBeUndefined();
      expect(breaker.state).toBe('closed');
      const throws = (): never => {
        throw down;
      };
      for (let i = 0; i < 4; i += 1) await expect(breaker.execute(throws)).rejects.toBe(down);
      expect(breaker.state).toBe('open');
    });

    it('runs an admitted call before it returns', () => {
      const call = pending(make(options));
      expect(call.started).toBe(true);
    });

    it('opens at the failure rate, not below', async () => {
      const breaker = make({ ...options, minimumCalls: 5 });
      await pass(breaker);
      await pass(breaker);
      await pass(breaker);
      await fail(breaker);
      await fail(breaker);
      expect(breaker.state).toBe('closed');
      await fail(breaker);
      expect(breaker.state).toBe('open');
    });

    it('says nothing below the minimum of calls', async () => {
      const breaker = make(options);
      await fail(breaker);
      await fail(breaker);
      await fail(breaker);
      expect(breaker.state).toBe('closed');
    });

    it('refuses without calling while open, and says for how long', async () => {
      const breaker = await opened();
      await vi.advanceTimersByTimeAsync(400);
      const work = vi.fn(() => 1);
      await expect(breaker.execute(work)).rejects.toMatchObject({
        code: 'ERR_WEIR_BREAKER_OPEN',
        retryAfterMs: 600,
      });
      expect(work).not.toHaveBeenCalled();
      expect(breaker.retryAfterMs).toBe(600);
    });

    it('is half-open as soon as its time is up, not before', async () => {
      const breaker = await opened();
      await vi.advanceTimersByTimeAsync(999);
      expect(breaker.state).toBe('open');
      await vi.advanceTimersByTimeAsync(1);
      expect(breaker.state).toBe('half-open');
      expect(breaker.retryAfterMs).toBe(0);
    });

    it('closes when the probe succeeds and opens again when it fails', async () => {
      const good = await halfOpen();
      await pass(good);
      expect(good.state).toBe('closed');
      const bad = await halfOpen();
      await fail(bad);
      expect(bad.state).toBe('open');
      await vi.advanceTimersByTimeAsync(1000);
      expect(bad.state).toBe('half-open');
    });

    it('admits one of 10,000 calls at the half-open instant and refuses the rest at once', async () => {
      const breaker = await halfOpen();
      const calls = Array.from({ length: 10_000 }, () => pending(breaker));
      expect(calls.filter((call) => call.started)).toHaveLength(1);
      const refused = await Promise.all(calls.slice(1).map((call) => call.ended));
      expect(new Set(refused)).toEqual(new Set(['ERR_WEIR_BREAKER_OPEN']));
      calls[0]!.succeed();
      expect(await calls[0]!.ended).toBe('resolved');
      expect(breaker.state).toBe('closed');
    });

    it('starts with an empty window after it has closed', async () => {
      const breaker = await halfOpen();
      await pass(breaker);
      await fail(breaker);
      await fail(breaker);
      await fail(breaker);
      expect(breaker.state).toBe('closed');
    });

    it('does not open on one failure after an hour without calls', async () => {
      const breaker = make(options);
      await fail(breaker, 3);
      await vi.advanceTimersByTimeAsync(3_600_000);
      await fail(breaker);
      expect(breaker.state).toBe('closed');
    });

    for (const end of ['succeed', 'fail'] as const) {
      it(`is not moved by a call from before that ${end}s while it is open, half-open or probing`, async () => {
        const breaker = make(options);
        const early = Array.from({ length: 4 }, () => pending(breaker));
        await fail(breaker, deviates.countsCallsUnderWay ? 8 : 4);
        early[0]![end]();
        await early[0]!.ended;
        expect(breaker.state).toBe('open');
        await vi.advanceTimersByTimeAsync(1000);
        early[1]![end]();
        await early[1]!.ended;
        expect(breaker.state).toBe('half-open');
        const probe = pending(breaker);
        early[2]![end]();
        await early[2]!.ended;
        expect(breaker.state).toBe('half-open');
        probe.succeed();
        await probe.ended;
        expect(breaker.state).toBe('closed');
        early[3]![end]();
        await early[3]!.ended;
        expect(breaker.state).toBe('closed');
      });
    }

    it('does not count what the caller gave up, and rejects with its reason at once', async () => {
      const breaker = make(options);
      const reason = new Error('the client left');
      for (let i = 0; i < 10; i += 1) {
        const controller = new AbortController();
        const call = breaker.execute(() => new Promise(() => {}), { signal: controller.signal });
        controller.abort(reason);
        await expect(call).rejects.toBe(reason);
      }
      expect(breaker.state).toBe('closed');
    });

    it('does not call for a signal that has aborted already', async () => {
      const work = vi.fn(() => 1);
      const reason = new Error('too late');
      await expect(make(options).execute(work, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect(work).not.toHaveBeenCalled();
    });

    it('leaves no listener on the signal of the caller', async () => {
      const breaker = make(options);
      const { signal } = new AbortController();
      const add = vi.spyOn(signal, 'addEventListener');
      const remove = vi.spyOn(signal, 'removeEventListener');
      await breaker.execute(() => 1, { signal });
      await breaker.execute(() => Promise.reject(down), { signal }).catch(() => {});
      expect(add).toHaveBeenCalledTimes(2);
      expect(remove).toHaveBeenCalledTimes(2);
    });

    it('gives up a call at its deadline, aborts its signal, and counts a failure once', async () => {
      const breaker = make(options);
      const signals: AbortSignal[] = [];
      const late: Array<() => void> = [];
      const work = (signal: AbortSignal): Promise<void> => {
        signals.push(signal);
        return new Promise((resolve) => late.push(resolve));
      };
      const calls = Array.from({ length: 4 }, () => breaker.execute(work, { deadline: 50 }));
      const ended = Promise.allSettled(calls);
      await vi.advanceTimersByTimeAsync(50);
      for (const each of await ended) {
        expect(each).toMatchObject({ status: 'rejected', reason: { code: 'ERR_WEIR_BREAKER_DEADLINE' } });
      }
      expect(signals.every((signal) => signal.aborted)).toBe(true);
      expect(breaker.state).toBe('open');
      for (const resolve of late) resolve();
      await vi.advanceTimersByTimeAsync(10);
      expect(breaker.state).toBe('open');
    });

    it('aborts the signal of one call only', async () => {
      const breaker = make(options);
      const other: AbortSignal[] = [];
      void breaker
        .execute((signal) => new Promise(() => other.push(signal)), { deadline: 10_000 })
        .catch(() => {});
      const call = breaker.execute(() => new Promise(() => {}), { deadline: 50 }).catch(() => {});
      await vi.advanceTimersByTimeAsync(50);
      await call;
      expect(other[0]!.aborted).toBe(false);
    });

    it('lets the caller abort a body that is read after the call, also with a deadline', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const bodies = await Promise.all(
        [{}, { deadline: 50 }].map((more) => make(options).execute(async (own) => own, { signal, ...more })),
      );
      controller.abort(down);
      expect(bodies.map((body) => body.reason)).toEqual([down, down]);
    });

    it('judges by the classifier, of errors and of values', async () => {
      const breaker = make(options);
      const badValue = (_error: unknown, value: unknown): Verdict =>
        value === 'bad' ? 'failure' : 'success';
      for (let i = 0; i < 4; i += 1) {
        await expect(breaker.execute(() => 'bad', { classify: badValue })).resolves.toBe('bad');
      }
      expect(breaker.state).toBe('open');
      const forgiving = make(options);
      for (let i = 0; i < 10; i += 1) {
        await forgiving.execute(() => Promise.reject(down), { classify: () => 'ignore' }).catch(() => {});
      }
      expect(forgiving.state).toBe('closed');
    });

    it('ignores a call whose classifier throws, and passes that error on', async () => {
      const breaker = make(options);
      const fault = new Error('classifier');
      const classify = (): never => {
        throw fault;
      };
      for (let i = 0; i < 10; i += 1) {
        await expect(breaker.execute(() => 1, { classify })).rejects.toBe(fault);
        await expect(breaker.execute(() => Promise.reject(down), { classify })).rejects.toBe(fault);
      }
      expect(breaker.state).toBe('closed');
      expect(await pass(breaker)).toBe(1);
    });

    it('counts a call once, though its classifier makes the caller give it up', async () => {
      const breaker = make(options);
      const controller = new AbortController();
      const classify = (): Verdict => {
        controller.abort(down);
        return 'success';
      };
      const { signal } = controller;
      await expect(breaker.execute(async () => 1, { signal, classify })).rejects.toBe(down);
      await vi.advanceTimersByTimeAsync(0);
      const counted = breaker
        .metrics()
        .map(({ labels, ...sample }) => ['value' in sample && sample.value, labels.result]);
      expect(counted).toContainEqual([1, 'ignored']);
      expect(counted).toContainEqual([0, 'success']);
      expect(counted).toContainEqual([0, 'stale']);
    });

    it('stays forced open until reset', async () => {
      const breaker = make(options);
      breaker.forceOpen();
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(breaker.state).toBe('open');
      await expect(pass(breaker)).rejects.toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN' });
      breaker.reset();
      expect(breaker.state).toBe('closed');
      expect(await pass(breaker)).toBe(1);
    });

    it('stays forced closed until reset, and then counts anew', async () => {
      const breaker = await opened();
      breaker.forceClose();
      await fail(breaker, 20);
      expect(breaker.state).toBe('closed');
      breaker.reset();
      await fail(breaker, 3);
      expect(breaker.state).toBe('closed');
      await fail(breaker);
      expect(breaker.state).toBe('open');
    });

    it('forces from either force to the other', async () => {
      const breaker = make(options);
      const states: BreakerState[] = [];
      for (const force of ['forceOpen', 'forceClose', 'forceOpen'] as const) {
        breaker[force]();
        states.push(breaker.state);
      }
      expect(states).toEqual(['open', 'closed', 'open']);
      breaker.forceClose();
      expect(await pass(breaker)).toBe(1);
    });

    it('recovers from a probe that hangs', async () => {
      const breaker = await halfOpen();
      const hung = pending(breaker);
      await vi.advanceTimersByTimeAsync(4999);
      expect(pending(breaker).started).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      if (deviates.lapsedLeaseOpens) {
        expect(pending(breaker).started).toBe(false);
        expect(breaker.state).toBe('open');
        await vi.advanceTimersByTimeAsync(1000);
      }
      const next = pending(breaker);
      expect(next.started).toBe(true);
      hung.succeed();
      await hung.ended;
      expect(breaker.state).toBe('half-open');
      next.succeed();
      await next.ended;
      expect(breaker.state).toBe('closed');
    });

    it('recovers from a probe that is ignored', async () => {
      const breaker = await halfOpen();
      const probe = pending(breaker, () => 'ignore');
      probe.succeed();
      await probe.ended;
      expect(breaker.state).toBe(deviates.ignoredProbeOpens ? 'open' : 'half-open');
      await vi.advanceTimersByTimeAsync(deviates.ignoredProbeOpens ? 1000 : 0);
      await pass(breaker);
      expect(breaker.state).toBe('closed');
    });

    it(`${deviates.countsCallsUnderWay ? 'counts' : 'does not count'} calls under way`, async () => {
      const breaker = make(options);
      for (let i = 0; i < 5; i += 1) pending(breaker);
      await fail(breaker, 1);
      await fail(breaker, 1);
      await fail(breaker, 1);
      await fail(breaker, 1);
      expect(breaker.state).toBe(deviates.countsCallsUnderWay ? 'closed' : 'open');
    });

    it(`${deviates.opensOnFailuresOnly ? 'does not open' : 'opens'} on a success that makes up the minimum`, async () => {
      const breaker = make(options);
      await fail(breaker);
      await fail(breaker);
      await fail(breaker);
      await pass(breaker);
      expect(breaker.state).toBe(deviates.opensOnFailuresOnly ? 'closed' : 'open');
    });

    it('reports itself in JSON and in plain counters', async () => {
      const breaker = make({ ...options, name: 'reported' });
      await pass(breaker);
      await fail(breaker, 3);
      await pass(breaker).catch(() => {});
      const snapshot = breaker.snapshot();
      expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
      expect(snapshot).toMatchObject({ state: 'open', forced: false });
      const values = Object.fromEntries(
        breaker
          .metrics()
          .map(({ name, labels, ...rest }) => [
            labels.result === undefined ? name : `${name} ${labels.result}`,
            'value' in rest ? rest.value : undefined,
          ]),
      );
      expect(values).toEqual({
        weir_circuit_breaker_state: 1,
        weir_circuit_breaker_opened_total: 1,
        'weir_circuit_breaker_calls_total success': 1,
        'weir_circuit_breaker_calls_total failure': 3,
        'weir_circuit_breaker_calls_total refused': 1,
        'weir_circuit_breaker_calls_total ignored': 0,
        'weir_circuit_breaker_calls_total stale': 0,
      });
    });

    it('offers its controls as actions', () => {
      const breaker = make(options);
      breaker.actions!.forceOpen!();
      expect(breaker.state).toBe('open');
      breaker.actions!.forceClose!();
      expect(breaker.state).toBe('closed');
      breaker.actions!.forceOpen!();
      breaker.actions!.reset!();
      expect(breaker.state).toBe('closed');
    });
  });
}
