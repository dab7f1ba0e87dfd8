import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { bulkhead, compose, timeout } from '../src/index.ts';
import { down, held, inManualTime } from './support.ts';

inManualTime();

describe('bulkhead', () => {
  it('lets so many in, so many wait in order, and refuses the rest', async () => {
    const limit = bulkhead({ name: 'reports', concurrency: 2, queue: 2 });
    const { call, calls } = held();
    const order: number[] = [];
    const results = Array.from({ length: 4 }, (_, i) => limit(call).then(() => order.push(i)));
    await expect(limit(call)).rejects.toMatchObject({ code: 'ERR_WEIR_BULKHEAD_FULL' });
    expect(calls).toHaveLength(2);
    expect(limit.snapshot()).toEqual({ inFlight: 2, waiting: 2, admitted: 2, refused: 1 });
    for (let i = 0; i < 4; i += 1) {
      calls[i]!.resolve('done');
      await vi.advanceTimersByTimeAsync(0);
    }
    await Promise.all(results);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(vi.getTimerCount()).toBe(0);
    expect(limit.name).toBe('reports');
    expect(limit.kind).toBe('bulkhead');
  });

  it('holds a place until a call that timed out has really ended', async () => {
    const limit = bulkhead({ concurrency: 2 });
    const careful = compose(timeout(100), limit);
    const { call, calls } = held();
    let running = 0;
    let most = 0;
    for (let i = 0; i < 12; i += 1) {
      const result = careful(async (context) => {
        running += 1;
        most = Math.max(most, running);
        await call(context);
        running -= 1;
      }).catch(() => {});
      await vi.advanceTimersByTimeAsync(100);
      await result;
    }
    expect([most, calls.length]).toEqual([2, 2]);
    calls[0]!.resolve('at last');
    await vi.advanceTimersByTimeAsync(0);
    await expect(limit(() => 'next')).resolves.toBe('next');
  });

  it('loses no place to waiters that leave or wait too long', async () => {
    const limit = bulkhead({ concurrency: 1, queue: 10, maxWait: 500 });
    const { call, calls } = held();
    const first = limit(call);
    const controller = new AbortController();
    const aborted = limit(call, { signal: controller.signal }).catch((error) => error);
    const late = limit(call).catch((error) => error);
    controller.abort(down);
    expect(await aborted).toBe(down);
    await vi.advanceTimersByTimeAsync(500);
    expect(await late).toMatchObject({ code: 'ERR_WEIR_BULKHEAD_FULL' });
    expect(limit.snapshot()).toMatchObject({ inFlight: 1, waiting: 0 });
    calls[0]!.reject(down);
    await expect(first).rejects.toBe(down);
    await expect(limit(() => 'free')).resolves.toBe('free');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('makes no call that was given up just as its place became free', async () => {
    const limit = bulkhead({ concurrency: 1, queue: 1 });
    const { call, calls } = held();
    const first = limit(call);
    const controller = new AbortController();
    const { signal } = controller;
    const remove = signal.removeEventListener.bind(signal);
    // Called when the place is handed on, before the one who waited for it goes on.
    vi.spyOn(signal, 'removeEventListener').mockImplementationOnce((...listener) => {
      remove(...listener);
      controller.abort(down);
    });
    const second = limit(call, { signal }).catch((error) => error);
    calls[0]!.resolve('done');
    await first;
    expect(await second).toBe(down);
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toHaveLength(1);
    expect(limit.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
  });

  it('never has more under way than it may, whatever ends in whatever order', async () => {
    vi.useRealTimers();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 5 }),
        fc.array(fc.tuple(fc.constantFrom('call', 'end', 'fail', 'abort'), fc.nat()), { maxLength: 60 }),
        async (concurrency, queue, steps) => {
          const limit = bulkhead({ concurrency, queue, maxWait: '1h' });
          const { call, calls } = held();
          const controllers: AbortController[] = [];
          const results: Promise<unknown>[] = [];
          for (const [what, index] of steps) {
            if (what === 'call') {
              const controller = new AbortController();
              controllers.push(controller);
              results.push(limit(call, { signal: controller.signal }).catch(() => {}));
            } else if (what === 'abort') controllers[index % controllers.length]?.abort();
            else if (what === 'end') calls[index % calls.length]?.resolve('');
            else calls[index % calls.length]?.reject(down);
            await Promise.resolve();
            const { inFlight, waiting } = limit.snapshot() as { inFlight: number; waiting: number };
            expect(inFlight).toBeLessThanOrEqual(concurrency);
            expect(waiting).toBeLessThanOrEqual(queue);
          }
          for (let i = 0; i < steps.length; i += 1) {
            for (const each of calls) each.resolve('');
            await new Promise((resolve) => setImmediate(resolve));
          }
          await Promise.all(results);
          expect(limit.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    ['concurrency', {}],
    ['concurrency', { concurrency: 0 }],
    ['queue', { concurrency: 1, queue: -1 }],
    ['maxWait', { concurrency: 1, maxWait: 0 }],
    ['limit', { limit: 1 }],
  ])('refuses %s in %j', (option, options) => {
    expect(() => bulkhead(options as never)).toThrow(expect.objectContaining({ option }));
  });
});
