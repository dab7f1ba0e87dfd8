import { channel as open } from 'node:diagnostics_channel';
import { ManualClock } from '@weir/core/testing';
import { expect, test } from 'vitest';
import { EventLog } from '../src/event-log.ts';

const state = open('weir:circuit-breaker:state');

test('events of the kit are kept, the newest last, errors by their message', () => {
  const clock = new ManualClock();
  const log = new EventLog(clock);
  state.publish({ breaker: 'a', from: 'closed', to: 'open' });
  clock.advance('1s');
  open('weir:redis:failure').publish({ client: 'r', error: new Error('gone'), raw: { secret: 1 } });
  expect(log.events).toEqual([
    {
      at: clock.epoch() - 1000,
      since: clock.epoch() - 1000,
      what: 'circuit-breaker:state',
      details: { breaker: 'a', from: 'closed', to: 'open' },
      times: 1,
    },
    {
      at: clock.epoch(),
      since: clock.epoch(),
      what: 'redis:failure',
      details: { client: 'r', error: 'gone' },
      times: 1,
    },
  ]);
  log.close();
});

test('the same a thousand times is one line with a count', () => {
  const log = new EventLog(new ManualClock());
  for (let i = 0; i < 1_000; i += 1) log.add('cache:error', { cache: 'a', error: new Error('down') });
  expect(log.events).toMatchObject([{ times: 1_000 }]);
  log.close();
});

test('an outage that says several things by turns is as many lines, each with when it began', () => {
  const clock = new ManualClock();
  const log = new EventLog(clock);
  log.add('gateway:reloaded', {});
  const start = clock.epoch();
  for (let i = 0; i < 600; i += 1) {
    log.add('redis:failure', { client: 'r' });
    log.add('rate-limit:store-error', { limiter: i % 2 === 0 ? 'a' : 'b' });
    clock.advance('1s');
  }
  expect(log.events.map(({ what, times, since }) => [what, times, since - start])).toEqual([
    ['gateway:reloaded', 1, 0],
    ['rate-limit:store-error', 300, 0],
    ['redis:failure', 600, 0],
    ['rate-limit:store-error', 300, 1_000],
  ]);
  clock.advance('1m');
  log.add('redis:failure', { client: 'r' });
  expect(log.events.at(-1)).toMatchObject({ what: 'redis:failure', times: 1, since: clock.epoch() });
  expect(log.events).toHaveLength(5);
  log.close();
});

test('a hundred lines are kept, whatever comes', () => {
  const log = new EventLog(new ManualClock());
  for (let i = 0; i < 250; i += 1) log.add('cache:error', { n: i });
  log.add('cache:error', undefined);
  expect(log.events).toHaveLength(100);
  expect(log.events[0]?.details).toEqual({ n: 151 });
  log.close();
});

test('a closed log listens no more', () => {
  const log = new EventLog(new ManualClock());
  expect(state.hasSubscribers).toBe(true);
  log.close();
  expect(state.hasSubscribers).toBe(false);
});
