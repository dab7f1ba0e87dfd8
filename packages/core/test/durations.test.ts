import { expect, it } from 'vitest';
import { Durations } from '../src/index.ts';

it('counts each in the first bucket that is not below it, and what is above all of them in the last', () => {
  const durations = new Durations();
  for (const ms of [0, 1, 1.5, 250, 30_000, 30_001]) durations.observe(ms);
  const { bounds, counts, ...rest } = durations.sample('a_seconds', 'Some.', { of: 'x' });
  expect(rest).toEqual({
    name: 'a_seconds',
    help: 'Some.',
    type: 'histogram',
    labels: { of: 'x' },
    sum: 60.2535,
  });
  expect(counts).toHaveLength(bounds.length + 1);
  const filled = counts.flatMap((count, i) =>
    count === 0 ? [] : [[bounds[i] ?? Number.POSITIVE_INFINITY, count]],
  );
  expect(filled).toEqual([
    [0.001, 2],
    [0.0025, 1],
    [0.25, 1],
    [30, 1],
    [Number.POSITIVE_INFINITY, 1],
  ]);
});

it('tells what was seen up to then', () => {
  const durations = new Durations();
  const before = durations.sample('a_seconds', 'Some.', {});
  durations.observe(5);
  expect(before.counts.every((count) => count === 0)).toBe(true);
});
