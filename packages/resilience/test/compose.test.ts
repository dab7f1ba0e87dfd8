import { createBreaker } from '@weir/circuit-breaker';
import { ManualClock } from '@weir/core/testing';
import { describe, expect, it, vi } from 'vitest';
import {
  adaptiveThrottle,
  bulkhead,
  compose,
  fallback,
  hedge,
  retry,
  retryBudget,
  timeout,
} from '../src/index.ts';
import { down, failing, held, inManualTime } from './support.ts';

inManualTime();

describe('compose', () => {
  const breaker = {
    execute: (fn: (signal: AbortSignal) => unknown) => fn(new AbortController().signal),
  } as never;

  it('nests the strategies, the first outermost', async () => {
    const { call, calls } = held();
    const careful = compose(
      fallback({ use: () => 'stale' }),
      timeout(1000),
      retry({ attempts: 3, delay: 0 }),
      timeout(100),
      bulkhead({ concurrency: 5 }),
    );
    const result = careful(call);
    await vi.advanceTimersByTimeAsync(400);
    expect(calls).toHaveLength(3);
    await expect(result).resolves.toBe('stale');
  });

  it('lets a breaker see each attempt, but not what a bulkhead refused', async () => {
    const verdicts: unknown[] = [];
    const watching = {
      async execute<T>(
        fn: (signal: AbortSignal) => T | PromiseLike<T>,
        options: { classify?: (error: unknown, value: T | undefined) => string } = {},
      ): Promise<T> {
        try {
          const value = await fn(new AbortController().signal);
          verdicts.push(options.classify!(undefined, value));
          return value;
        } catch (error) {
          verdicts.push(options.classify!(error, undefined));
          throw error;
        }
      },
    };
    const limit = bulkhead({ concurrency: 1 });
    const careful = compose(retry({ attempts: 2, delay: 0 }), watching as never, limit);
    const failed = careful(failing).catch((error) => error);
    await vi.runAllTimersAsync();
    expect(await failed).toBe(down);
    const { call, calls } = held();
    const busy = careful(call);
    await expect(careful(call)).rejects.toMatchObject({ code: 'ERR_WEIR_BULKHEAD_FULL' });
    calls[0]!.resolve('');
    await busy;
    expect(verdicts).toEqual(['failure', 'failure', 'ignore', 'success']);
  });

  it('nests composed strategies, and keeps the order through them', async () => {
    const limit = bulkhead({ concurrency: 1 });
    const inner = compose(timeout(100), limit);
    const { call, calls } = held();
    const result = compose(retry({ attempts: 2, delay: 0 }), inner)(call);
    await vi.advanceTimersByTimeAsync(0);
    calls[0]!.resolve('up');
    await expect(result).resolves.toBe('up');
    expect(limit.snapshot()).toMatchObject({ admitted: 1, inFlight: 0 });
    const refused = expect.objectContaining({ option: 'strategies' });
    expect(() => compose(inner, retry())).toThrow(refused);
    expect(() => compose(limit, inner)).toThrow(refused);
    expect(() => compose(compose(compose(retry())), compose(retry()))).toThrow('retry');
  });

  it('tells each call which attempt it is, through every strategy', async () => {
    const seen: number[] = [];
    const budget = retryBudget();
    const careful = compose(
      retry({ attempts: 3, delay: 0, budget }),
      hedge({ after: 1000, budget }),
      createBreaker(),
      adaptiveThrottle(),
      timeout(1000),
      bulkhead({ concurrency: 1 }),
    );
    const result = careful(({ attempt }) => {
      seen.push(attempt);
      return failing();
    }).catch((error) => error);
    await vi.runAllTimersAsync();
    expect(await result).toBe(down);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('repeats what a real breaker lets through, and not what it refuses', async () => {
    const clock = new ManualClock();
    const real = createBreaker({ minimumCalls: 2, openFor: '10s', clock });
    const careful = compose(retry({ attempts: 5, delay: 0 }), real);
    const call = vi.fn(failing);
    const first = careful(call).catch((error) => error);
    await vi.runAllTimersAsync();
    expect(await first).toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN', retryAfterMs: 10_000 });
    expect(call).toHaveBeenCalledTimes(2);
    await expect(careful(call)).rejects.toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN' });
    expect(call).toHaveBeenCalledTimes(2);
    clock.advance('10s');
    await expect(careful(() => 'up')).resolves.toBe('up');
    expect(real.state).toBe('closed');
  });

  it.each([
    ['retry in a breaker', [breaker, retry()]],
    ['retry in a retry', [retry(), retry()]],
    ['retry in a bulkhead', [bulkhead({ concurrency: 1 }), retry()]],
    ['a timeout in a bulkhead', [bulkhead({ concurrency: 1 }), timeout(5)]],
    ['a fallback in a retry', [retry(), fallback({ use: () => 1 })]],
    ['a hedge around a retry', [hedge({ after: 5 }), retry()]],
    ['a breaker in a bulkhead', [bulkhead({ concurrency: 1 }), breaker]],
    ['what is no strategy', [{}]],
  ])('refuses %s', (_what, strategies) => {
    expect(() => compose(...(strategies as never[]))).toThrow(
      expect.objectContaining({ option: 'strategies' }),
    );
  });
});
