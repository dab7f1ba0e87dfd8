import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock, seededRandom } from '@weir/core/testing';
import { expect, it } from 'vitest';
import { createBreakers } from '../src/index.ts';

const fail = (breakers: ReturnType<typeof createBreakers>, key: string): void => {
  const breaker = breakers.get(key);
  breaker.failure(breaker.tryAcquire());
};

it('gives the same breaker for the same key and another one for another', () => {
  const breakers = createBreakers({ max: 10, consecutiveFailures: 1 });
  expect(breakers.get('a')).toBe(breakers.get('a'));
  fail(breakers, 'a');
  expect([breakers.get('a').state, breakers.get('b').state]).toEqual(['open', 'closed']);
});

it('stays bounded under a million random keys and never loses an open, half-open or forced breaker', () => {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const breakers = createBreakers({ max: 1000, consecutiveFailures: 1, openFor: '1h', clock });
  for (let i = 0; i < 100; i += 1) fail(breakers, `open-${i}`);
  breakers.get('forced').forceClose();
  for (let i = 0; i < 1_000_000; i += 1) {
    const breaker = breakers.get(`key-${Math.floor(random() * 2 ** 32)}`);
    breaker.success(breaker.tryAcquire());
  }
  expect(breakers.size).toBe(1000);
  for (let i = 0; i < 100; i += 1) expect(breakers.get(`open-${i}`).state).toBe('open');
  expect(breakers.get('forced').snapshot()).toMatchObject({ forced: true });
  expect(breakers.snapshot()).toMatchObject({ size: 1000, max: 1000, open: 100, unkept: 0 });
});

it('keeps what is used, and what has failures or calls under way, before what is idle', () => {
  const breakers = createBreakers({ max: 4, consecutiveFailures: 5 });
  const used = breakers.get('used');
  const failing = breakers.get('failing');
  failing.failure(failing.tryAcquire());
  const busy = breakers.get('busy');
  busy.tryAcquire();
  breakers.get('idle');
  breakers.get('used');
  for (let i = 0; i < 50; i += 1) {
    breakers.get(`passing-${i}`);
    expect(breakers.get('used')).toBe(used);
  }
  expect(breakers.get('failing')).toBe(failing);
  expect(breakers.get('busy')).toBe(busy);
});

it('lets a closed breaker with calls under way go if there is nothing else', () => {
  const breakers = createBreakers({ max: 2 });
  for (const key of ['a', 'b', 'c']) breakers.get(key).tryAcquire();
  expect(breakers.snapshot()).toMatchObject({ size: 2, evicted: 1 });
});

it('does not keep a breaker for which no room can be made, and counts it', () => {
  const breakers = createBreakers({ max: 20, consecutiveFailures: 1 });
  for (let i = 0; i < 20; i += 1) fail(breakers, `open-${i}`);
  expect(breakers.get('late').tryAcquire()).toBeGreaterThan(0);
  expect(breakers.snapshot()).toMatchObject({ size: 20, open: 20, unkept: 1, evicted: 0 });
});

it('reports sums and never a key', () => {
  const breakers = createBreakers({ name: 'tenants', max: 10, consecutiveFailures: 1 });
  for (const key of ['secret-1', 'secret-2']) fail(breakers, key);
  const text = JSON.stringify([breakers.metrics(), breakers.snapshot()]);
  expect(text).not.toContain('secret');
  const failures = breakers.metrics().find(({ labels }) => labels.result === 'failure');
  expect(failures).toMatchObject({ labels: { breaker: 'tenants' }, value: 2 });
  const open = breakers.metrics().find(({ labels }) => labels.state === 'open');
  expect(open).toMatchObject({ name: 'weir_circuit_breaker_keys', value: 2 });
});

it('names the keys of those that are not closed if it is told to, in its snapshot and with changes of state', () => {
  const seen: unknown[] = [];
  const listener = (message: unknown): void => void seen.push(message);
  subscribe('weir:circuit-breaker:state', listener);
  const clock = new ManualClock();
  const options = { name: 'api', max: 30, consecutiveFailures: 1, openFor: '10s', clock } as const;
  const breakers = createBreakers({ ...options, showKeys: true });
  fail(breakers, 'http://10.0.0.7');
  breakers.get('http://10.0.0.8');
  breakers.get('http://10.0.0.9').forceClose();
  fail(createBreakers(options), 'secret');
  unsubscribe('weir:circuit-breaker:state', listener);
  expect(breakers.snapshot()).toMatchObject({
    notClosed: [
      { id: 'http://10.0.0.7', state: 'open', forced: false, retryAfterMs: 10_000 },
      { id: 'http://10.0.0.9', state: 'closed', forced: true, retryAfterMs: 0 },
    ],
  });
  expect(seen).toEqual([
    { breaker: 'api', key: 'http://10.0.0.7', from: 'closed', to: 'open' },
    { breaker: 'api', from: 'closed', to: 'open' },
  ]);
  for (let i = 0; i < 28; i += 1) fail(breakers, `http://10.0.1.${i}`);
  expect(breakers.snapshot().notClosed).toHaveLength(20);
});

it.each([
  ['showKeys', { max: 1, showKeys: 'yes' }],
  ['max', { max: 0 }],
  ['max', {}],
  ['failureRate', { max: 1, failureRate: 2 }],
  ['size', { max: 1, size: 2 }],
])('refuses %s in %j', (option, options) => {
  expect(() => createBreakers(options as never)).toThrow(expect.objectContaining({ option }));
});
