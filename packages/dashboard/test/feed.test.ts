import { ManualClock } from '@weir/core/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EventLog } from '../src/event-log.ts';
import { Feed } from '../src/feed.ts';
import { Onsets } from '../src/onsets.ts';
import { Camera } from '../src/snapshot.ts';
import { component } from './components.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const shown = component('cache', 'a');
  const looks = vi.spyOn(shown, 'snapshot');
  const clock = new ManualClock();
  const camera = new Camera(() => [shown], new EventLog(clock), new Onsets(clock), clock, false);
  return { looks, feed: new Feed(camera) };
}

function viewer(feed: Feed, takes: () => boolean = () => true) {
  const ids: number[] = [];
  let ended = false;
  const source = feed.open();
  source.start({
    write(chunk) {
      const [, id, data] = /^id: (\d+)\ndata: (.*)\n\n$/.exec(new TextDecoder().decode(chunk))!;
      expect(JSON.parse(data!)).toMatchObject({ components: [{ name: 'a' }], events: [] });
      ids.push(Number(id));
      return takes();
    },
    end: () => {
      ended = true;
    },
    abort() {},
  });
  return { ids, source, ended: () => ended };
}

test('nothing is done while nobody looks, and one timer serves all who do', () => {
  const { looks, feed } = setUp();
  vi.advanceTimersByTime(60_000);
  expect(looks).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);

  const viewers = [viewer(feed), viewer(feed), viewer(feed)];
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(2_000);
  expect(looks).toHaveBeenCalledTimes(3);
  for (const { ids } of viewers) expect(ids).toEqual([0, 1, 2]);

  for (const { source } of viewers) source.cancel(undefined);
  expect(vi.getTimerCount()).toBe(0);
});

test('who comes later is shown the last minute', () => {
  const { feed } = setUp();
  const first = viewer(feed);
  vi.advanceTimersByTime(100_000);
  const second = viewer(feed);
  expect(second.ids).toEqual(first.ids.slice(-60));
  first.source.cancel(undefined);
  second.source.cancel(undefined);
  expect(viewer(feed).ids).toHaveLength(1);
});

test('a slow page misses frames instead of having them pile up', () => {
  const { feed } = setUp();
  let fast = false;
  const { ids, source } = viewer(feed, () => fast);
  vi.advanceTimersByTime(5_000);
  expect(ids).toEqual([0]);
  fast = true;
  source.resume();
  vi.advanceTimersByTime(1_000);
  expect(ids).toEqual([0, 6]);
});

test('a closed feed ends every page, and more than a hundred are too many', () => {
  const { feed } = setUp();
  const viewers = Array.from({ length: 100 }, () => viewer(feed));
  expect(feed.full).toBe(true);
  feed.close();
  expect(feed.full).toBe(false);
  expect(viewers.every(({ ended }) => ended())).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
