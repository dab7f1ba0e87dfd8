import { ManualClock, seededRandom } from '@weir/core/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cache, createCache, type LoadContext, type Loader } from '../src/index.ts';
import { Gates } from './gates.ts';

const RUNS = 10_000;
const STEPS = 24;
const KEYS = ['a', 'b'];
const TTL = 100;

const unhandled: unknown[] = [];
const hear = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', hear));
afterAll(() => void process.off('unhandledRejection', hear));

interface Tally {
  reads: number;
  stale: number;
  lost: number;
  invalidations: number;
  loads: number;
  rejected: number;
}

/** One seeded run: readers, loaders that read the truth at a time of the seed's choosing, and invalidations between. */
async function run(seed: number, tally: Tally): Promise<void> {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const chance = (p: number): boolean => random() < p;
  const clock = new ManualClock();
  const hasGrace = chance(0.5);
  const cache: Cache = createCache({
    ttl: TTL,
    max: chance(0.9) ? 8 : 1,
    ...(hasGrace ? { grace: TTL, softTimeout: chance(0.5) ? 0 : 5 } : {}),
    ...(chance(0.3) ? { errorTtl: 10, earlyRefresh: 1, random } : {}),
    ...(chance(0.2) ? { protect: 'clone' as const } : {}),
    clock,
  });
  const space = chance(0.3) ? cache.namespace('n') : cache;
  const gates = new Gates();
  /** The truth, which only moves together with an invalidation. */
  const truth = new Map(KEYS.map((key) => [key, 0]));
  /** What a reader that begins now must at least see. */
  const floor = new Map(KEYS.map((key) => [key, 0]));
  const waiting = new Set<Promise<unknown>>();

  const load = async (key: string, declare: (tag: string) => void): Promise<number> => {
    tally.loads += 1;
    const early = chance(0.5);
    if (early) declare(`late:${key}`);
    if (chance(0.5)) await gates.wait();
    const seen = truth.get(key)!;
    if (chance(0.8)) await gates.wait();
    if (chance(0.1)) throw new Error('down');
    if (!early) declare(`late:${key}`);
    return seen;
  };
  const loaderOf =
    (key: string): Loader<number> =>
    ({ tags }: LoadContext) =>
      load(key, tags);

  const check = (_key: string, least: number, value: unknown): void => {
    tally.reads += 1;
    if (typeof value !== 'number' || value < least) tally.stale += 1;
  };
  const watch = (answer: unknown, then: (value: unknown) => void): void => {
    if (!(answer instanceof Promise)) {
      then(answer);
      return;
    }
    const waiter: Promise<void> = answer
      .then(then, () => void (tally.rejected += 1))
      .finally(() => waiting.delete(waiter));
    waiting.add(waiter);
  };
  const read = (): void => {
    const key = KEYS[below(KEYS.length)]!;
    const least = floor.get(key)!;
    const controller = new AbortController();
    const signal = chance(0.3) ? controller.signal : undefined;
    const tags = chance(0.5) ? [`tag:${key}`] : [];
    // The tag that is known from the start is also declared late, so that an invalidation by it concerns every load.
    const loader: Loader<number> = (context) => {
      if (tags.length === 0) context.tags(`tag:${key}`);
      return loaderOf(key)(context);
    };
    if (chance(0.2)) {
      const least2 = KEYS.map((each) => floor.get(each)!);
      watch(
        space.getMany(KEYS, (keys) => Promise.all(keys.map((each) => load(each, () => {}))), {
          tags: KEYS.flatMap((each) => [`tag:${each}`, `late:${each}`]),
          signal,
        }),
        (values) => (values as number[]).forEach((value, i) => void check(KEYS[i]!, least2[i]!, value)),
      );
    } else watch(space.getOrLoad(key, loader, { tags, signal }), (value) => check(key, least, value));
    if (signal !== undefined && chance(0.5))
      void gates.wait().then(() => controller.abort(new Error('left')));
  };
  const invalidate = (): void => {
    const key = KEYS[below(KEYS.length)]!;
    const next = truth.get(key)! + 1;
    truth.set(key, next);
    tally.invalidations += 1;
    const how = below(6);
    if (how === 0) space.delete(key);
    else if (how === 1) space.set(key, next, { tags: [`tag:${key}`, `late:${key}`] });
    else if (how === 2) space.invalidateTags([`tag:${key}`]);
    else if (how === 3) space.invalidateTags(`late:${key}`);
    else if (how === 4) cache.clear();
    else {
      space.expire(key);
      // Made stale, it may be served within its grace.
      if (hasGrace) return;
    }
    floor.set(key, next);
  };

  for (let step = 0; step < STEPS; step += 1) {
    const what = random();
    if (what < 0.4) read();
    else if (what < 0.6) invalidate();
    else if (what < 0.9) gates.release(below(Math.max(1, gates.size)));
    else clock.advance(below(TTL * 1.5));
    for (let ticks = below(4); ticks > 0; ticks -= 1) await undefined;
  }
  const busy = (): boolean => waiting.size > 0 || gates.size > 0 || cache.snapshot().loadsInFlight !== 0;
  for (let turn = 0; turn < 200 && busy(); turn += 1) {
    gates.releaseAll();
    await undefined;
  }
  tally.lost += waiting.size;
  expect(cache.snapshot().loadsInFlight).toBe(0);
}

test('in 10,000 seeded interleavings nobody is served what was invalidated, and nobody waits for ever', async () => {
  const tally: Tally = { reads: 0, stale: 0, lost: 0, invalidations: 0, loads: 0, rejected: 0 };
  for (let seed = 1; seed <= RUNS; seed += 1) await run(seed, tally);
  await new Promise((resolve) => setImmediate(resolve));
  expect(tally).toMatchObject({ stale: 0, lost: 0 });
  expect(unhandled).toEqual([]);
  // The runs did what they are for.
  expect(tally.reads).toBeGreaterThan(50_000);
  expect(tally.invalidations).toBeGreaterThan(30_000);
  expect(tally.loads).toBeGreaterThan(30_000);
  expect(tally.rejected).toBeGreaterThan(1_000);
}, 120_000);
