import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { ManualClock } from '@weir/core/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  type AsyncLimiter,
  createLimiter,
  fixedWindow,
  leakyBucket,
  Store,
  type StoreAnswer,
  type StoreLimiterOptions,
  tokenBucket,
} from '../src/index.ts';
import { storeContract } from './contract.ts';
import { MemoryStore } from './memory-store.ts';

/** A store over the network: every answer is a promise. */
class LateStore extends MemoryStore {
  override async decide(...args: Parameters<MemoryStore['decide']>): Promise<StoreAnswer> {
    return super.decide(...args);
  }
  override async adjust(...args: Parameters<MemoryStore['adjust']>): Promise<void> {
    await super.adjust(...args);
  }
  override async block(...args: Parameters<MemoryStore['block']>): Promise<void> {
    await super.block(...args);
  }
  override async reset(...args: Parameters<MemoryStore['reset']>): Promise<void> {
    await super.reset(...args);
  }
}

/** The clock that moves with the fake timers. */
function fakeTime(): { clock: ManualClock; pass: (ms: number) => Promise<void> } {
  vi.useFakeTimers();
  const clock = new ManualClock();
  const pass = async (ms: number): Promise<void> => {
    for (let left = Math.ceil(ms); left > 0; left -= 1) {
      clock.advance(1);
      await vi.advanceTimersByTimeAsync(1);
    }
  };
  return { clock, pass };
}

afterEach(() => void vi.useRealTimers());

for (const [name, Kind] of [
  ['a store that answers at once', MemoryStore],
  ['a store that answers later', LateStore],
] as const) {
  storeContract(name, async () => {
    const { clock, pass } = fakeTime();
    const store = new Kind(clock);
    return { connect: () => store, pass, clock, close: async () => {} };
  });
}

class FaultyStore extends MemoryStore {
  mode: 'well' | 'throws' | 'rejects' | 'hangs' = 'well';
  readonly fault = new Error('down');

  async #through<T>(call: () => T | Promise<T>): Promise<T> {
    if (this.mode === 'rejects') throw this.fault;
    if (this.mode === 'hangs') return new Promise(() => {});
    return call();
  }
  #sooner(): void {
    if (this.mode === 'throws') throw this.fault;
  }
  override decide(...args: Parameters<MemoryStore['decide']>): Promise<StoreAnswer> {
    this.#sooner();
    return this.#through(() => super.decide(...args));
  }
  override adjust(...args: Parameters<MemoryStore['adjust']>): Promise<void> {
    this.#sooner();
    return this.#through(() => super.adjust(...args));
  }
  override block(...args: Parameters<MemoryStore['block']>): Promise<void> {
    this.#sooner();
    return this.#through(() => super.block(...args));
  }
  override reset(...args: Parameters<MemoryStore['reset']>): Promise<void> {
    this.#sooner();
    return this.#through(() => super.reset(...args));
  }
}

function make(options: Partial<StoreLimiterOptions> = {}) {
  const { clock, pass } = fakeTime();
  const store = new FaultyStore(clock);
  const limits = options.limits ?? tokenBucket({ limit: 10, per: '1h', name: 'ten' });
  const limiter: AsyncLimiter = createLimiter({ ...options, limits, store, clock });
  return { clock, pass, store, limiter };
}

const faults = ['throws', 'rejects', 'hangs'] as const;

describe('when a store fails', () => {
  test.each(faults)('and %s, counts of this process decide', async (mode) => {
    const { limiter, store, pass } = make();
    for (let i = 0; i < 4; i += 1) await limiter.check('k');
    store.mode = mode;
    // What this process admitted before still counts.
    const first = limiter.check('k');
    await pass(250);
    expect(await first).toMatchObject({ allowed: true, remaining: 5, policy: 'ten' });
    const rest = Promise.all(Array.from({ length: 6 }, () => limiter.check('k')));
    await pass(250);
    expect((await rest).map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
    const peek = limiter.peek('k');
    await pass(250);
    expect(await peek).toMatchObject({ allowed: false, remaining: 0 });
    store.mode = 'well';
    // The store goes on where it was.
    expect(await limiter.check('k')).toMatchObject({ allowed: true, remaining: 5 });
  });

  test.each(faults)("and %s, 'open' admits, and says that it knows of no limit", async (mode) => {
    const { limiter, store, pass } = make({ onStoreError: 'open' });
    store.mode = mode;
    const decision = limiter.check('k', { cost: 1000 });
    await pass(250);
    expect(await decision).toEqual({
      allowed: true,
      limit: Number.POSITIVE_INFINITY,
      remaining: Number.POSITIVE_INFINITY,
      retryAfterMs: 0,
      resetMs: 0,
      policy: 'store-error',
      limits: [],
    });
  });

  test.each(faults)("and %s, 'closed' refuses", async (mode) => {
    const { limiter, store, pass } = make({ onStoreError: 'closed' });
    store.mode = mode;
    const decision = limiter.check('k');
    await pass(250);
    expect(await decision).toMatchObject({
      allowed: false,
      retryAfterMs: 1000,
      policy: 'store-error',
      limits: [],
    });
  });

  test('the decision is there at the deadline, the first time and every time', async () => {
    const { limiter, store, pass } = make({ storeTimeout: 40 });
    store.mode = 'hangs';
    for (let i = 0; i < 3; i += 1) {
      let decided = false;
      const decision = limiter.check('k').then(() => {
        decided = true;
      });
      await pass(39);
      expect(decided).toBe(false);
      await pass(1);
      await decision;
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an answer that comes after the deadline changes nothing, nor is its rejection left unhandled', async () => {
    const { limiter, pass, store } = make({ storeTimeout: 10, onStoreError: 'open' });
    for (const settle of ['resolve', 'reject'] as const) {
      let end: { resolve: (answer: StoreAnswer) => void; reject: (error: Error) => void } | undefined;
      store.decide = () =>
        new Promise((resolve, reject) => {
          end = { resolve, reject };
        });
      const decision = limiter.check('k');
      await pass(10);
      expect((await decision).policy).toBe('store-error');
      if (settle === 'resolve') end!.resolve({ limits: [], blockedMs: 0 });
      else end!.reject(new Error('late'));
      await pass(1);
    }
  });

  test('a share of the limit is left to each of several processes', async () => {
    const { limiter, store } = make({
      localShare: 0.25,
      limits: [
        fixedWindow({ limit: 10, per: '1h', name: 'ten' }),
        fixedWindow({ limit: 2, per: '1h', name: 'two' }),
      ],
    });
    store.mode = 'rejects';
    expect((await limiter.check('k', { cost: 0 })).limits.map(({ limit }) => limit)).toEqual([2, 1]);
    const byKey = make({ localShare: 0.5, limits: () => tokenBucket({ limit: 10, per: '1h', burst: 20 }) });
    byKey.store.mode = 'rejects';
    expect(await byKey.limiter.check('k')).toMatchObject({ limit: 10, remaining: 9 });
  });

  test('blocks and resets made before the failure hold in it', async () => {
    const { limiter, store } = make();
    await limiter.block('blocked', '1h');
    await limiter.charge('charged', 10);
    await limiter.check('refunded', { cost: 10 });
    await limiter.refund('refunded', 4);
    await limiter.check('reset', { cost: 10 });
    await limiter.reset('reset');
    store.mode = 'rejects';
    expect(await limiter.check('blocked')).toMatchObject({ allowed: false, policy: 'blocked' });
    expect(await limiter.check('charged')).toMatchObject({ allowed: false });
    expect(await limiter.check('refunded')).toMatchObject({ allowed: true, remaining: 3 });
    expect(await limiter.check('reset')).toMatchObject({ allowed: true, remaining: 9 });
  });

  test.each(faults)(
    'and %s, what is told to it rejects with a StoreError that names the cause',
    async (mode) => {
      const { limiter, store, pass } = make();
      store.mode = mode;
      for (const call of [
        () => limiter.reset('k'),
        () => limiter.block('k', 1),
        () => limiter.refund('k', 1),
        () => limiter.charge('k', 1),
      ]) {
        const told = expect(call()).rejects.toMatchObject({
          name: 'StoreError',
          code: 'ERR_WEIR_STORE',
          cause: mode === 'hangs' ? undefined : store.fault,
        });
        await pass(250);
        await told;
      }
    },
  );

  test('failures are counted and published', async () => {
    const { limiter, store } = make({ name: 'counted' });
    const seen: unknown[] = [];
    const listen = (message: unknown): void => void seen.push(message);
    subscribe('weir:rate-limit:store-error', listen);
    store.mode = 'rejects';
    await limiter.check('k');
    await limiter.check('k');
    unsubscribe('weir:rate-limit:store-error', listen);
    expect(seen).toHaveLength(2);
    expect(seen[0]).toMatchObject({ limiter: 'counted', error: { code: 'ERR_WEIR_STORE' } });
    expect(JSON.stringify(seen)).not.toContain('"k"');
    expect(limiter.metrics()).toContainEqual(
      expect.objectContaining({ name: 'weir_rate_limit_store_errors_total', value: 2 }),
    );
    expect(limiter.snapshot()).toMatchObject({ storeErrors: 2, onStoreError: 'local', allowed: 2 });
  });

  test('those who wait are let in by counts of this process', async () => {
    const { limiter, store, pass } = make({ limits: leakyBucket({ limit: 10, per: '1s', capacity: 5 }) });
    store.mode = 'rejects';
    const waits = Promise.all(Array.from({ length: 3 }, () => limiter.wait('k')));
    await pass(250);
    expect((await waits).map(({ allowed }) => allowed)).toEqual([true, true, true]);
  });
});

describe('a limiter over a store', () => {
  test('tells the store all it needs', async () => {
    const limit = tokenBucket({ limit: 10, per: '1h' });
    const { limiter, store } = make({ name: 'api', limits: limit, storeTimeout: 99 });
    await limiter.check('k', { cost: 2 });
    await limiter.peek('k');
    expect(store.requests).toEqual([
      { limiter: 'api', key: 'k', limits: [limit], cost: 2, mode: 'charge', timeoutMs: 99 },
      { limiter: 'api', key: 'k', limits: [limit], cost: 1, mode: 'peek', timeoutMs: 99 },
    ]);
    expect(store.requests[0]!.limits).toBe(store.requests[1]!.limits);
  });

  test('gives a bad key or cost back as a rejection, before the store hears of it', async () => {
    const { limiter, store } = make();
    for (const method of ['check', 'peek', 'wait'] as const) {
      await expect(limiter[method](5 as never)).rejects.toMatchObject({ code: 'ERR_WEIR_INVALID_KEY' });
      await expect(limiter[method]('k', { cost: 0.5 })).rejects.toMatchObject({
        code: 'ERR_WEIR_INVALID_COST',
      });
    }
    for (const method of ['refund', 'charge'] as const) {
      await expect(limiter[method]('k', -1)).rejects.toMatchObject({ code: 'ERR_WEIR_INVALID_COST' });
      await expect(limiter[method](undefined as never, 1)).rejects.toMatchObject({
        code: 'ERR_WEIR_INVALID_KEY',
      });
    }
    await expect(limiter.reset(null as never)).rejects.toMatchObject({ code: 'ERR_WEIR_INVALID_KEY' });
    await expect(limiter.block('k', -1)).rejects.toMatchObject({ option: 'duration' });
    expect(store.requests).toEqual([]);
  });

  test('counts what it decided, shadow refusals apart', async () => {
    const { limiter } = make({ name: 'counts', limits: fixedWindow({ limit: 1, per: '1h' }) });
    await limiter.check('k');
    await limiter.check('k');
    await limiter.check('k', { shadow: true });
    await limiter.wait('k', { maxWait: 0, shadow: true });
    expect(limiter.snapshot()).toMatchObject({
      allowed: 1,
      refused: 1,
      shadowRefused: 2,
      limits: ['1-per-1h'],
    });
  });

  test('gives back what was charged for one who has gone away meanwhile', async () => {
    const { limiter, store, pass } = make({ limits: fixedWindow({ limit: 5, per: '1h' }) });
    const gone = new AbortController();
    let answer = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const decide = store.decide.bind(store);
    store.decide = async (request) => {
      const decision = await decide(request);
      await answered;
      return decision;
    };
    const waiting = limiter.wait('k', { cost: 3, signal: gone.signal });
    await pass(1);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(getEventListeners(gone.signal, 'abort')).toEqual([]);
    answer();
    await pass(1);
    store.decide = decide;
    expect(await limiter.peek('k')).toMatchObject({ remaining: 5 });
  });

  test('rejects for one in line when its limits cannot be had any more, and serves the next', async () => {
    const limit = fixedWindow({ limit: 1, per: 1000 });
    let fails = false;
    const { limiter, pass } = make({
      limits: () => {
        if (!fails) return limit;
        fails = false;
        throw new Error('no plan');
      },
    });
    await limiter.check('k');
    const first = limiter.wait('k');
    first.catch(() => {});
    const second = limiter.wait('k');
    await pass(1);
    fails = true;
    await pass(1000);
    await expect(first).rejects.toThrow('no plan');
    expect(await second).toMatchObject({ allowed: true });
  });

  test('on closing, refuses those who wait and lets the store give back what it holds', async () => {
    const { limiter, store, pass } = make({ name: 'closing', limits: fixedWindow({ limit: 1, per: '1h' }) });
    await limiter.check('k');
    const waiting = limiter.wait('k', { maxWait: '20d' });
    await pass(1);
    await limiter.close();
    expect(await waiting).toMatchObject({ allowed: false });
    expect(store.closed).toEqual(['closing']);
    expect(vi.getTimerCount()).toBe(0);
    const { limiter: another, store: second } = make({ name: 'disposed' });
    await another[Symbol.asyncDispose]();
    expect(second.closed).toEqual(['disposed']);
  });

  test('offers the reset of a key as an action', async () => {
    const { limiter } = make({ limits: fixedWindow({ limit: 1, per: '1h' }) });
    await limiter.check('k');
    await limiter.actions!.reset!('k');
    expect((await limiter.check('k')).allowed).toBe(true);
    await expect(limiter.actions!.reset!(7)).rejects.toMatchObject({ code: 'ERR_WEIR_INVALID_KEY' });
  });

  test.each([
    ['store', { store: {} }],
    ['store', { store: 'redis' }],
    ['onStoreError', { onStoreError: 'allow' }],
    ['storeTimeout', { storeTimeout: 0 }],
    ['storeTimeout', { storeTimeout: '2m' }],
    ['localShare', { localShare: 0 }],
    ['localShare', { localShare: 1.1 }],
    ['limits', { limits: [] }],
  ])('refuses a bad `%s`: %o', (option, bad) => {
    const store = new MemoryStore(new ManualClock());
    const limits = fixedWindow({ limit: 1, per: 1 });
    expect(() => createLimiter({ limits, store, ...(bad as object) })).toThrow(
      expect.objectContaining({ option }),
    );
  });

  test('refuses options of a store where there is none', () => {
    const limits = fixedWindow({ limit: 1, per: 1 });
    for (const option of ['onStoreError', 'storeTimeout', 'localShare']) {
      expect(() => createLimiter({ limits, [option]: 1 })).toThrow(expect.objectContaining({ option }));
    }
  });

  test('a store of any make does, whether it answers at once or later', async () => {
    class OneEach extends Store {
      decide() {
        return { limits: [], blockedMs: 0 } as StoreAnswer;
      }
      adjust() {}
      block() {}
      reset() {}
    }
    const limiter = createLimiter({ limits: fixedWindow({ limit: 1, per: 1 }), store: new OneEach() });
    // It breaks its promise of one state for each limit: a fault like any other.
    expect(await limiter.check('k')).toMatchObject({ allowed: true, policy: '1-per-1ms' });
    await limiter.close();
  });
});
