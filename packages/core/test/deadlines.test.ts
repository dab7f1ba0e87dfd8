import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline, Deadlines } from '../src/index.ts';

describe('Deadlines', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  const expired: string[] = [];
  class Named extends Deadline {
    readonly #name: string;
    constructor(name: string) {
      super();
      this.#name = name;
    }
    expire(): void {
      expired.push(this.#name);
    }
  }
  const seen = (): string[] => expired.splice(0);

  test('tell each when its time is up, not before, and once', () => {
    const deadlines = new Deadlines();
    deadlines.start(new Named('a'), 100);
    vi.advanceTimersByTime(40);
    deadlines.start(new Named('b'), 100);
    deadlines.start(new Named('short'), 10);
    vi.advanceTimersByTime(9);
    expect(seen()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen()).toEqual(['short']);
    vi.advanceTimersByTime(49);
    expect(seen()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen()).toEqual(['a']);
    vi.advanceTimersByTime(39);
    expect(seen()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen()).toEqual(['b']);
    vi.advanceTimersByTime(1000);
    expect(seen()).toEqual([]);
  });

  test('say nothing to what has ended, whether first, last or between', () => {
    const deadlines = new Deadlines();
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => new Named(name));
    for (const each of all) deadlines.start(each, 50);
    expect([0, 2, 4, 4].map((i) => deadlines.end(all[i]!))).toEqual([true, true, true, false]);
    vi.advanceTimersByTime(50);
    expect(seen()).toEqual(['b', 'd']);
  });

  test('go on with those who came later, when the first have ended', () => {
    const deadlines = new Deadlines();
    const first = new Named('first');
    deadlines.start(first, 50);
    vi.advanceTimersByTime(20);
    deadlines.start(new Named('second'), 50);
    deadlines.end(first);
    vi.advanceTimersByTime(49);
    expect(seen()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen()).toEqual(['second']);
  });

  test('take the word of their timer, where clocks differ', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const deadlines = new Deadlines();
    deadlines.start(new Named('a'), 50);
    vi.advanceTimersByTime(50);
    expect(seen()).toEqual(['a']);
  });

  test('may be started again, and by one that expires', () => {
    const deadlines = new Deadlines();
    const again = new Named('again');
    class Starter extends Deadline {
      expire(): void {
        deadlines.start(again, 20);
      }
    }
    deadlines.start(new Starter(), 20);
    deadlines.start(new Named('beside'), 20);
    vi.advanceTimersByTime(39);
    expect(seen()).toEqual(['beside']);
    vi.advanceTimersByTime(1);
    expect(seen()).toEqual(['again']);
    deadlines.start(again, 20);
    deadlines.end(again);
    deadlines.start(again, 30);
    vi.advanceTimersByTime(100);
    expect(seen()).toEqual(['again']);
  });

  test('have one timer for each length of time, and none when nothing waits', () => {
    const deadlines = new Deadlines();
    const all = Array.from({ length: 100 }, (_, i) => new Named(`${i}`));
    for (const [i, each] of all.entries()) deadlines.start(each, 20 + (i % 2));
    expect(vi.getTimerCount()).toBe(2);
    for (const each of all.slice(1)) deadlines.end(each);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(20);
    expect(seen()).toEqual(['0']);
    expect(vi.getTimerCount()).toBe(0);
    deadlines.start(all[1]!, 20);
    deadlines.end(all[1]!);
    expect(vi.getTimerCount()).toBe(0);
    deadlines.start(all[2]!, 20);
    vi.advanceTimersByTime(20);
    expect(seen()).toEqual(['2']);
  });
});
