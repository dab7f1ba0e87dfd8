/// <reference path="../src/internal/opossum-module.d.ts" />
import { ManualClock } from '@weir/core/testing';
import Circuit from 'opossum';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { timeWindow } from '../src/index.ts';
import { createOpossumBreaker, fromOpossum, type OpossumBreakerOptions } from '../src/opossum.ts';
import { fail, pass, pending } from './conformance.ts';

const circuits: Circuit[] = [];
const circuit = (
  options: { [name: string]: unknown } = {},
  action: () => unknown = async () => 'own',
): Circuit => {
  const made = new Circuit(action, { volumeThreshold: 4, resetTimeout: 1000, timeout: false, ...options });
  circuits.push(made);
  return made;
};

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  process.on('unhandledRejection', note);
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
});
afterEach(async () => {
  for (const each of circuits.splice(0)) each.shutdown();
  vi.useRealTimers();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled.splice(0)).toEqual([]);
});

describe('fromOpossum', () => {
  it('shares its state with the circuit, whoever calls', async () => {
    const own = circuit({}, () => Promise.reject(new Error('down')));
    const breaker = fromOpossum(own);
    for (let i = 0; i < 4; i += 1) await own.fire().catch(() => {});
    expect(breaker.state).toBe('open');
    await expect(pass(breaker)).rejects.toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(breaker.state).toBe('half-open');
    await pass(breaker);
    expect([own.closed, breaker.state]).toEqual([true, 'closed']);
    await fail(breaker, 4);
    await expect(own.fire()).rejects.toMatchObject({ code: 'EOPENBREAKER' });
  });

  it('leaves the own action of the circuit as it was', async () => {
    const own = circuit({}, async (...args: unknown[]) => args.join());
    fromOpossum(own);
    await expect(own.fire(1, 2)).resolves.toBe('1,2');
  });

  it('gives the same breaker for the same circuit', () => {
    const own = circuit();
    expect(fromOpossum(own)).toBe(fromOpossum(own));
  });

  it('is named as the circuit and tells how often it was called', async () => {
    const own = circuit({ name: 'prices' });
    const breaker = fromOpossum(own);
    await own.fire();
    await pass(breaker);
    expect(breaker.name).toBe('prices');
    const success = breaker.metrics().find(({ labels }) => labels.result === 'success');
    expect(success).toMatchObject({ value: 2 });
  });

  it('keeps time by the timeout of the circuit, with a signal for each call', async () => {
    const breaker = fromOpossum(circuit({ timeout: 50, volumeThreshold: 2 }));
    const signals: AbortSignal[] = [];
    const hang = (signal: AbortSignal) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const first = breaker.execute(hang).catch((error) => error);
    await vi.advanceTimersByTimeAsync(30);
    const second = breaker.execute(hang).catch((error) => error);
    await vi.advanceTimersByTimeAsync(20);
    expect(await first).toMatchObject({ code: 'ERR_WEIR_BREAKER_DEADLINE' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await vi.advanceTimersByTimeAsync(30);
    expect(await second).toMatchObject({ code: 'ERR_WEIR_BREAKER_DEADLINE' });
    expect(breaker.state).toBe('open');
  });

  it('never counts a call that was given up, not even when the timeout of the circuit is over', async () => {
    const breaker = fromOpossum(circuit({ timeout: 50, volumeThreshold: 1 }));
    const controller = new AbortController();
    const call = breaker.execute(() => new Promise(() => {}), { signal: controller.signal }).catch(() => {});
    controller.abort();
    await call;
    await vi.advanceTimersByTimeAsync(1000);
    expect(breaker.state).toBe('closed');
  });

  it('gives back the capacity of calls that count for nothing', async () => {
    const breaker = fromOpossum(circuit({ capacity: 1 }));
    for (let i = 0; i < 5; i += 1) {
      expect(await breaker.execute(() => i, { classify: () => 'ignore' })).toBe(i);
    }
    const busy = pending(breaker);
    await expect(pass(breaker)).rejects.toMatchObject({ cause: { code: 'ESEMLOCKED' } });
    busy.succeed();
    await busy.ended;
    expect(await pass(breaker)).toBe(1);
  });

  it('settles every call though the error filter of the circuit throws, and says so in a warning', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const fault = new Error('filter');
    const own = circuit({
      errorFilter: () => {
        throw fault;
      },
    });
    const breaker = fromOpossum(own);
    await fail(breaker, 4);
    expect(breaker.state).toBe('open');
    expect(warn).toHaveBeenCalledWith(fault);
    warn.mockRestore();
  });

  it('goes on though a listener of the circuit throws', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const own = circuit({ volumeThreshold: 1 });
    const fault = new Error('listener');
    for (const event of ['success', 'open', 'reject']) {
      own.on(event, () => {
        throw fault;
      });
    }
    const breaker = fromOpossum(own);
    expect(await pass(breaker)).toBe(1);
    await expect(own.fire()).resolves.toBe('own');
    expect(breaker.state).toBe('closed');
    expect(warn).toHaveBeenCalledWith(fault);
    warn.mockRestore();
  });

  it('lets calls through a circuit that is switched off, and none through one that is shut down', async () => {
    const own = circuit();
    const breaker = fromOpossum(own);
    own.open();
    own.disable();
    expect(await pass(breaker)).toBe(1);
    own.shutdown();
    expect(breaker.state).toBe('open');
    await expect(pass(breaker)).rejects.toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN' });
  });

  it('recovers from a hung probe of the circuit itself', async () => {
    const own = circuit({}, () => new Promise(() => {}));
    const breaker = fromOpossum(own);
    await fail(breaker, 4);
    await vi.advanceTimersByTimeAsync(1000);
    void own.fire();
    await expect(pass(breaker)).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(60_000);
    await expect(pass(breaker)).rejects.toThrow();
    expect(breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(1000);
    await pass(breaker);
    expect(breaker.state).toBe('closed');
  });

  it('does not change an options object that other circuits share', async () => {
    const shared = { timeout: 50, volumeThreshold: 4 };
    const [one, other] = [new Circuit(async () => 1, shared), new Circuit(async () => 2, shared)];
    circuits.push(one, other);
    const before = { ...shared };
    await pass(fromOpossum(one));
    expect(shared).toEqual(before);
    expect(await other.fire()).toBe(2);
  });

  it('refuses what is no circuit, and circuits that would answer for calls not made', () => {
    expect(() => fromOpossum({} as never)).toThrow(expect.objectContaining({ option: 'circuit' }));
    for (const option of ['cache', 'coalesce']) {
      expect(() => fromOpossum(circuit({ [option]: true }))).toThrow(
        expect.objectContaining({ option: `circuit.options.${option}` }),
      );
    }
  });
});

describe('createOpossumBreaker', () => {
  it('starts no timer until it opens', async () => {
    const breakers = Array.from({ length: 100 }, () => createOpossumBreaker());
    for (const breaker of breakers) await pass(breaker);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('turns its window by its own clock', async () => {
    const clock = new ManualClock();
    const breaker = createOpossumBreaker({ window: timeWindow('10s'), minimumCalls: 4, clock });
    await fail(breaker, 3);
    clock.advance('10s');
    await fail(breaker, 3);
    expect(breaker.state).toBe('closed');
    clock.advance('5s');
    await fail(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('can be closed, twice, and refuses from then on', async () => {
    const breaker = createOpossumBreaker({ minimumCalls: 1 });
    await fail(breaker);
    expect(vi.getTimerCount()).toBe(1);
    breaker.close!();
    breaker.close!();
    expect(vi.getTimerCount()).toBe(0);
    await expect(pass(breaker)).rejects.toMatchObject({ code: 'ERR_WEIR_BREAKER_OPEN' });
  });

  it('shares nothing between breakers of one options object', async () => {
    const options: OpossumBreakerOptions = Object.freeze({ minimumCalls: 1, name: 'same' });
    const [one, other] = [createOpossumBreaker(options), createOpossumBreaker(options)];
    await fail(one);
    expect([one.state, other.state]).toEqual(['open', 'closed']);
  });

  it.each([
    ['window', { window: { kind: 'count', size: 10 } }],
    ['failureRate', { failureRate: 0 }],
    ['minimumCalls', { minimumCalls: 0 }],
    ['openFor', { openFor: '30d' }],
    ['probeLease', { probeLease: 0 }],
    ['halfOpenCalls', { halfOpenCalls: 3 }],
    ['name', { name: '' }],
  ])('refuses %s in %j', (option, options) => {
    expect(() => createOpossumBreaker(options as never)).toThrow(expect.objectContaining({ option }));
  });
});
