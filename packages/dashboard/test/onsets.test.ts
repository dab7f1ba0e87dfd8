import { channel } from 'node:diagnostics_channel';
import { ManualClock } from '@weir/core/testing';
import { afterEach, expect, test } from 'vitest';
import { EventLog } from '../src/event-log.ts';
import { Onsets } from '../src/onsets.ts';
import { Camera } from '../src/snapshot.ts';
import { component } from './components.ts';

const publish = (what: string, message: object): void => channel(`weir:${what}`).publish(message);

const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function setUp() {
  const clock = new ManualClock();
  const onsets = new Onsets(clock);
  const log = new EventLog(clock);
  open.push(onsets, log);
  const camera = (...components: ReturnType<typeof component>[]): Camera =>
    new Camera(() => components, log, onsets, clock, false);
  return { clock, onsets, camera, start: clock.epoch() };
}

test('who looks for the first time is told since when an upstream is out, a breaker open, a limiter refusing', () => {
  const { clock, camera, start } = setUp();
  publish('load-balancer:ejected', { pool: 'api', upstream: 'http://a' });
  clock.advance('1m');
  publish('circuit-breaker:state', { breaker: 'prices', from: 'closed', to: 'open' });
  clock.advance('1m');
  publish('rate-limit:refused', { limiter: 'orders', decision: {}, shadow: false });
  clock.advance('59s');
  publish('rate-limit:refused', { limiter: 'orders', decision: {}, shadow: false });
  publish('rate-limit:refused', { limiter: 'trial', decision: {}, shadow: true });
  publish('rate-limit:store-error', { limiter: 'shared', error: new Error('late') });
  clock.advance('2s');
  const frame = camera(
    component('pool', 'api', { upstreams: [{ state: 'ejected' }, { state: 'up' }] }),
    component('breakers', 'prices', { open: 1 }),
    component('breaker', 'others', { state: 'open' }),
    component('limiter', 'orders'),
    component('limiter', 'trial'),
    component('limiter', 'shared'),
    component('limiter', 'idle'),
  ).take();
  const told = frame.components.map(({ name, level, why, since }) => [name, level, why, since - start]);
  expect(told).toEqual([
    ['api', 'bad', '1 of 2 out', 0],
    ['prices', 'bad', '1 open', 60_000],
    // Of this one no event told.
    ['others', 'bad', 'open', 181_000],
    ['orders', 'warn', 'refusing', 120_000],
    ['trial', 'warn', 'would refuse', 179_000],
    ['shared', 'bad', 'store failing', 179_000],
    ['idle', 'ok', '', 181_000],
  ]);
});

test('what is over has no beginning any more, and what comes again has a new one', () => {
  const { clock, onsets, start } = setUp();
  publish('load-balancer:ejected', { pool: 'api', upstream: 'http://a' });
  clock.advance('1s');
  publish('load-balancer:down', { pool: 'api', upstream: 'http://b' });
  expect(onsets.since('pool', 'api', 'bad')).toBe(start);
  publish('load-balancer:returned', { pool: 'api', upstream: 'http://a' });
  expect(onsets.since('pool', 'api', 'bad')).toBe(start + 1000);
  publish('load-balancer:draining', { pool: 'api', upstream: 'http://c' });
  expect(onsets.since('pool', 'api', 'warn')).toBe(start + 1000);
  publish('load-balancer:removed', { pool: 'api', upstream: 'http://b' });
  publish('load-balancer:resumed', { pool: 'api', upstream: 'http://c' });
  expect([onsets.since('pool', 'api', 'bad'), onsets.since('pool', 'api', 'warn')]).toEqual([
    undefined,
    undefined,
  ]);
  publish('rate-limit:refused', { limiter: 'l', decision: {}, shadow: false });
  clock.advance('2m');
  publish('rate-limit:refused', { limiter: 'l', decision: {}, shadow: false });
  expect(onsets.since('limiter', 'l', 'warn')).toBe(clock.epoch());
});

test('a set of breakers is in trouble from the first that opens to the last that closes, probes or not', () => {
  const { clock, onsets, start } = setUp();
  const turn = (from: string, to: string): void => {
    publish('circuit-breaker:state', { breaker: 'api', from, to });
    clock.advance('1s');
  };
  turn('closed', 'open');
  turn('open', 'half-open');
  turn('half-open', 'open');
  turn('closed', 'open');
  turn('half-open', 'closed');
  expect(onsets.since('breakers', 'api', 'bad')).toBe(start);
  turn('half-open', 'closed');
  expect(onsets.since('breakers', 'api', 'bad')).toBeUndefined();
  turn('half-open', 'closed');
  turn('closed', 'open');
  expect(onsets.since('redis', 'api', 'bad')).toBe(clock.epoch() - 1000);
});

test('one that is closed listens no more', () => {
  const { onsets } = setUp();
  onsets.close();
  publish('load-balancer:ejected', { pool: 'api', upstream: 'http://a' });
  expect(onsets.since('pool', 'api', 'bad')).toBeUndefined();
  expect(channel('weir:rate-limit:refused').hasSubscribers).toBe(false);
});
