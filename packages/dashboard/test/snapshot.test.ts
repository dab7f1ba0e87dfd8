import { ManualClock } from '@weir/core/testing';
import { expect, test } from 'vitest';
import { EventLog } from '../src/event-log.ts';
import { Onsets } from '../src/onsets.ts';
import { Camera } from '../src/snapshot.ts';
import { component, counter } from './components.ts';

const refused = 'weir_rate_limit_decisions_total';

function setUp(...components: ReturnType<typeof component>[]) {
  const clock = new ManualClock();
  const log = new EventLog(clock);
  return { clock, camera: new Camera(() => components, log, new Onsets(clock), clock, true) };
}

test('a level is told with the time it was first seen', () => {
  const breaker = component('breaker', 'a', { state: 'closed' });
  const { clock, camera } = setUp(breaker);
  const start = clock.epoch();
  expect(camera.take().components[0]).toMatchObject({ level: 'ok', since: start });
  clock.advance('5s');
  expect(camera.take().components[0]).toMatchObject({ level: 'ok', since: start });
  breaker.state = { state: 'open' };
  clock.advance('1s');
  expect(camera.take().components[0]).toMatchObject({ level: 'bad', why: 'open', since: start + 6_000 });
});

test('counters are compared with the frame a second before, however many look in between', () => {
  const limiter = component('limiter', 'a', {}, { samples: [counter(refused, 0, { outcome: 'refused' })] });
  const { clock, camera } = setUp(limiter);
  camera.take();
  clock.advance('1s');
  limiter.samples = [counter(refused, 7, { outcome: 'refused' })];
  expect(camera.take().components[0]).toMatchObject({ level: 'warn', why: 'refusing' });
  clock.advance(100);
  limiter.samples = [counter(refused, 9, { outcome: 'refused' })];
  expect(camera.take().components[0]?.level).toBe('warn');
  clock.advance('1s');
  camera.take();
  clock.advance('1s');
  expect(camera.take().components[0]?.level).toBe('ok');
});

test('a component that fails to tell of itself is red, and the others are shown', () => {
  const broken = {
    ...component('cache', 'broken'),
    snapshot: () => {
      throw new Error('lost');
    },
  };
  const { camera } = setUp(broken as never, component('cache', 'whole'));
  expect(camera.take().components).toMatchObject([
    { name: 'broken', level: 'bad', why: 'lost' },
    { name: 'whole', level: 'ok' },
  ]);
});

test('a histogram is told by count, sum and the buckets of two quantiles', () => {
  const histogram = {
    name: 'weir_cache_load_seconds',
    help: 'Told.',
    type: 'histogram' as const,
    labels: {},
    bounds: [0.1, 1, 10],
    counts: [98, 1, 0, 1],
    sum: 12,
  };
  const { camera } = setUp(component('cache', 'a', {}, { samples: [histogram] }));
  const told = camera.take().components[0]?.samples.map(({ name, value }) => [name.slice(16), value]);
  expect(told).toEqual([
    ['seconds_count', 100],
    ['seconds_sum', 12],
    ['seconds_p50', 0.1],
    ['seconds_p99', 1],
  ]);
});
