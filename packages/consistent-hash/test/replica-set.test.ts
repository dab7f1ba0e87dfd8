import { InvalidOptionError, type ValueSample } from '@weir/core';
import { ManualClock } from '@weir/core/testing';
import { expect, test } from 'vitest';
import { createReplicaSet } from '../src/index.ts';
import { keys } from './contract.ts';

const primary = 'db';
const replicas = ['db-a', 'db-b', 'db-c'];

test('safe methods read from a replica, all others go to the primary', () => {
  const set = createReplicaSet({ primary, replicas });
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE'])
    expect(replicas).toContain(set.route(method, 'key'));
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'get', 'QUERY', '']) {
    expect(set.route(method, 'other')).toBe(primary);
  }
});

test('a key reads from the same replica, and keys spread over all', () => {
  const set = createReplicaSet({ primary, replicas });
  const used = new Set(keys.map((key) => set.read(key)));
  expect(used).toEqual(new Set(replicas));
  for (const key of keys) expect(set.read(key)).toBe(set.read(key));
});

test('reads without a key take turns', () => {
  const set = createReplicaSet({ primary, replicas });
  expect([1, 2, 3, 4].map(() => set.read())).toEqual(['db-a', 'db-b', 'db-c', 'db-a']);
});

test('a replica that lags too far, or whose lag is unknown, is left out; without one the primary reads', () => {
  const lags = new Map<string, number | undefined>([
    ['db-a', 1000],
    ['db-b', 1001],
    ['db-c', undefined],
  ]);
  const set = createReplicaSet({ primary, replicas, lag: (replica) => lags.get(replica), maxLag: '1s' });
  for (const key of keys) expect(set.read(key)).toBe('db-a');
  expect([1, 2].map(() => set.read())).toEqual(['db-a', 'db-a']);
  lags.set('db-a', Number.NaN);
  expect(set.read('key')).toBe(primary);
  expect(set.read()).toBe(primary);
  lags.set('db-c', 0);
  expect(set.read('key')).toBe('db-c');
});

test('a maximum lag of 0 takes replicas that are up to date only', () => {
  const set = createReplicaSet({ primary, replicas: ['db-a'], lag: () => 0, maxLag: 0 });
  expect(set.read('key')).toBe('db-a');
});

test('after a write its key reads from the primary, for as long as the pin lasts', () => {
  const clock = new ManualClock(0);
  const set = createReplicaSet({ primary, replicas, pinFor: '5s', clock });
  expect(set.write('me')).toBe(primary);
  expect([set.read('me'), set.pinned('me'), set.pinned('you')]).toEqual([primary, true, false]);
  expect(replicas).toContain(set.read('you'));
  clock.advance(4999);
  expect(set.read('me')).toBe(primary);
  set.write('me');
  clock.advance(4999);
  expect(set.read('me')).toBe(primary);
  clock.advance(1);
  expect(replicas).toContain(set.read('me'));
});

test('bytes, numbers and text are pinned apart only where they are placed apart', () => {
  const set = createReplicaSet({ primary, replicas });
  set.write(42);
  expect(set.pinned('42')).toBe(true);
  set.write(new Uint8Array([1, 2]));
  expect(set.pinned(new Uint8Array([1, 2]))).toBe(true);
  expect(set.pinned(new Uint8Array([1, 3]))).toBe(false);
});

test('pinning can be turned off', () => {
  const set = createReplicaSet({ primary, replicas, pinFor: 0 });
  set.write('me');
  expect(replicas).toContain(set.read('me'));
});

test('pins are bounded, end by themselves, and losses are counted', () => {
  const clock = new ManualClock(0);
  const set = createReplicaSet({ primary, replicas, pinFor: 100, maxPins: 2, clock });
  for (const key of ['a', 'b', 'c']) set.write(key);
  expect(['a', 'b', 'c'].map((key) => set.pinned(key))).toEqual([false, true, true]);
  const dropped = () => set.metrics().find(({ name }) => name === 'weir_consistent_hash_pins_dropped_total');
  expect(dropped()).toMatchObject({ value: 1 });
  clock.advance(100);
  set.write('d');
  expect(set.snapshot().pins).toBe(1);
  expect(dropped()).toMatchObject({ value: 1 });
  set.write('d');
  expect(set.snapshot().pins).toBe(1);
});

test('writing again makes a pin the newest one', () => {
  const set = createReplicaSet({ primary, replicas, maxPins: 2, clock: new ManualClock(0) });
  for (const key of ['a', 'b', 'b']) set.write(key);
  expect(['a', 'b'].map((key) => set.pinned(key))).toEqual([true, true]);
  for (const key of ['a', 'c']) set.write(key);
  expect(['a', 'b', 'c'].map((key) => set.pinned(key))).toEqual([true, false, true]);
});

test('without replicas everything goes to the primary', () => {
  const set = createReplicaSet({ primary, replicas: [] });
  expect([set.read(), set.read('key'), set.write('key')]).toEqual([primary, primary, primary]);
});

test('gives nodes back as they were given', () => {
  const main = { id: 'db', port: 1 };
  const copy = { id: 'db-a', port: 2 };
  const set = createReplicaSet({ primary: main, replicas: [copy] });
  expect(set.read('key')).toBe(copy);
  expect(set.write('key')).toBe(main);
});

test('is a component that JSON can carry', () => {
  const set = createReplicaSet({ primary, replicas: ['db-a'], name: 'users', lag: () => 2000 });
  set.read('key');
  set.write('key');
  expect(set.kind).toBe('replica-set');
  expect(set.snapshot()).toEqual({ primary, replicas: [{ id: 'db-a', lagMs: 2000, fresh: false }], pins: 1 });
  expect((set.metrics() as readonly ValueSample[]).map(({ labels, value }) => [labels, value])).toEqual([
    [{ replica_set: 'users', to: 'replica' }, 0],
    [{ replica_set: 'users', to: 'primary' }, 1],
    [{ replica_set: 'users' }, 1],
    [{ replica_set: 'users' }, 0],
  ]);
});

test.each([
  { primary: '' },
  { replicas: ['db'] },
  { replicas: ['db-a', 'db-a'] },
  { replicas: undefined },
  { lag: 5 },
  { maxLag: -1 },
  { pinFor: '5 s' },
  { maxPins: 0 },
  { sticky: true },
])('refuses %j', (options) => {
  expect(() => createReplicaSet({ primary, replicas, ...options } as never)).toThrow(InvalidOptionError);
});
