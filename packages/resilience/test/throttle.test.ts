import { ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, it } from 'vitest';
import { adaptiveThrottle, bulkhead, compose } from '../src/index.ts';
import { down, held, inManualTime } from './support.ts';

inManualTime();

describe('adaptiveThrottle', () => {
  const run = async (
    throttle: ReturnType<typeof adaptiveThrottle>,
    calls: number,
    ok: boolean,
  ): Promise<number> => {
    let sent = 0;
    for (let i = 0; i < calls; i += 1) {
      const call = () => {
        sent += 1;
        if (!ok) throw down;
      };
      await throttle(call).catch(() => {});
    }
    return sent;
  };

  it('holds back by the share of calls that were refused, beyond an allowance', async () => {
    let drawn = 0;
    const throttle = adaptiveThrottle({ clock: new ManualClock(), random: () => drawn });
    expect(await run(throttle, 11, false)).toBe(11);
    // By now 11 requests, none accepted: (11 - 10 - 0) / 12.
    drawn = 1 / 12;
    expect(await run(throttle, 1, false)).toBe(1);
    drawn = 2 / 13 - 1e-9;
    expect(await run(throttle, 1, true)).toBe(0);
    drawn = 3 / 14;
    expect(await run(throttle, 1, true)).toBe(1);
    // 14 requests, 1 accepted: (14 - 10 - 2) / 15.
    expect(throttle.snapshot()).toEqual({ requests: 14, accepts: 1, held: 1 });
    drawn = 2 / 15 - 1e-9;
    expect(await run(throttle, 1, true)).toBe(0);
  });

  it('lets through so many calls whatever becomes of them', async () => {
    for (const allowance of [0, 1, 50]) {
      const throttle = adaptiveThrottle({ allowance, clock: new ManualClock(), random: () => 0 });
      // The first call has nothing before it that could have been refused.
      expect(await run(throttle, 100, false)).toBe(allowance + 1);
    }
  });

  it('never holds a call back for those that are still under way', async () => {
    const throttle = adaptiveThrottle({ allowance: 0, clock: new ManualClock(), random: () => 0 });
    const { call, calls } = held();
    const results = Array.from({ length: 100 }, () => throttle(call));
    expect(calls).toHaveLength(100);
    for (const each of calls) each.resolve('up');
    await Promise.all(results);
    expect(throttle.snapshot()).toEqual({ requests: 100, accepts: 100, held: 0 });
  });

  it('learns nothing from calls that were given up, or refused further in', async () => {
    const throttle = adaptiveThrottle({ clock: new ManualClock() });
    const controller = new AbortController();
    const given = throttle(
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
      { signal: controller.signal },
    );
    controller.abort(down);
    await expect(given).rejects.toBe(down);
    const careful = compose(throttle, bulkhead({ concurrency: 1 }));
    const { call, calls } = held();
    const busy = careful(call);
    await expect(careful(call)).rejects.toMatchObject({ code: 'ERR_WEIR_BULKHEAD_FULL' });
    expect(throttle.snapshot()).toEqual({ requests: 0, accepts: 0, held: 0 });
    calls[0]!.resolve('');
    await busy;
  });

  it('holds nothing back while calls succeed, most while all fail, and recovers', async () => {
    const clock = new ManualClock();
    const throttle = adaptiveThrottle({ clock, window: '10s', random: seededRandom(3) });
    expect(await run(throttle, 500, true)).toBe(500);
    clock.advance('20s');
    expect(await run(throttle, 1000, false)).toBeLessThan(100);
    clock.advance('20s');
    expect(await run(throttle, 100, true)).toBe(100);
    expect(throttle.snapshot()).toMatchObject({ requests: 100, accepts: 100 });
  });

  it('takes errors that are no refusal for accepted', async () => {
    const throttle = adaptiveThrottle({ refused: (error) => error !== down });
    expect(await run(throttle, 200, false)).toBe(200);
  });

  it.each([
    ['multiplier', 1],
    ['allowance', -1],
    ['window', 5],
    ['refused', true],
    ['name', ''],
    ['limit', 5],
  ])('refuses %s of %j', (option, value) => {
    expect(() => adaptiveThrottle({ [option]: value } as never)).toThrow(expect.objectContaining({ option }));
  });
});
