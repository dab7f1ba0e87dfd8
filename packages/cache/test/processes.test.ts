import { ManualClock, seededRandom } from '@weir/core/testing';
import { expect, test } from 'vitest';
import { createCache, type LoadContext, type SharedCache } from '../src/index.ts';
import { FakeBus, FakeTier } from './fakes.ts';
import { Gates } from './gates.ts';

const RUNS = 4000;
const STEPS = 30;
const KEYS = ['a', 'b'];

interface Tally {
  reads: number;
  stale: number;
  lost: number;
  left: number;
  loads: number;
  invalidations: number;
}

/**
 * One seeded run: two processes share a tier and a bus, every call and message of which is held up at the seed's
 * choosing. The truth moves together with an invalidation in one of them. From then on who asks there must see it; who
 * asks in the other one must when the message has come.
 */
async function run(seed: number, tally: Tally): Promise<void> {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const chance = (p: number): boolean => random() < p;
  const clock = new ManualClock();
  const [gates, tier, bus] = [new Gates(), new FakeTier(clock), new FakeBus()];
  const hold = async (): Promise<void> => {
    if (chance(0.6)) await gates.wait();
  };
  tier.delay = hold;
  bus.delay = hold;
  tier.withLocks = chance(0.5);
  const grace = chance(0.3) ? 100 : 0;
  const small = chance(0.3);
  const caches: SharedCache[] = [0, 1].map(() =>
    createCache({
      ttl: 100,
      max: small ? 1 : 4,
      grace,
      earlyRefresh: chance(0.3) ? 1 : 0,
      random,
      clock,
      remote: tier,
      bus,
    }),
  );
  const truth = new Map(KEYS.map((key) => [key, 0]));
  const floors = caches.map(() => new Map(KEYS.map((key) => [key, 0])));
  const raise = (process: number, key: string, version: number): void => {
    const floor = floors[process]!;
    floor.set(key, Math.max(floor.get(key)!, version));
  };
  /** Invalidations that have returned, and whose message the other process has yet to hear. */
  const unheard: { readonly origin: string; readonly seq: number; readonly tell: () => void }[] = [];
  const heard = new Map<string, number>();
  bus.delivered = (listener, { origin, seq }) => {
    if (bus.members.findIndex((member) => member.listener === listener) === origins.indexOf(origin)) return;
    heard.set(origin, seq);
    for (const each of unheard) if (each.origin === origin && each.seq <= seq) each.tell();
  };
  const origins: string[] = [];
  const waiting = new Set<Promise<unknown>>();
  /** Keys with an invalidation under way. A value that is set must be the newest: its own writers take turns. */
  const busy = new Map(KEYS.map((key) => [key, 0]));
  let setting = 0;

  const watch = (answer: unknown, then: (value: unknown) => void): void => {
    const waiter: Promise<unknown> = Promise.resolve(answer)
      .then(then, () => {})
      .finally(() => waiting.delete(waiter));
    waiting.add(waiter);
  };
  const load = async (key: string, { tags }: LoadContext): Promise<number> => {
    tally.loads += 1;
    const early = chance(0.5);
    if (early) tags(`tag:${key}`);
    await hold();
    const seen = truth.get(key)!;
    await hold();
    if (chance(0.1)) throw new Error('down');
    if (!early) tags(`tag:${key}`);
    return seen;
  };
  const read = (process: number, key: string): void => {
    const cache = caches[process]!;
    const least = floors[process]!.get(key)!;
    const check = (value: unknown): void => {
      tally.reads += 1;
      if (value !== undefined && (value as number) < least) tally.stale += 1;
    };
    if (chance(0.2)) watch(cache.get(key), check);
    else
      watch(
        cache.getOrLoad(key, (context) => load(key, context)),
        check,
      );
  };
  const invalidate = (process: number, key: string): void => {
    const cache = caches[process]!;
    const how = below(5);
    if (setting > 0 || (how === 0 && busy.get(key)! > 0)) return;
    const version = truth.get(key)! + 1;
    truth.set(key, version);
    tally.invalidations += 1;
    busy.set(key, busy.get(key)! + 1);
    if (how === 0) setting += 1;
    const done = [
      () => cache.set(key, version, { tags: [`tag:${key}`] }),
      () => cache.delete(key),
      () => cache.invalidateTags(`tag:${key}`),
      () => cache.clear(),
      () => cache.expire(key),
    ][how]!();
    watch(done, () => {
      busy.set(key, busy.get(key)! - 1);
      if (how === 0) setting -= 1;
      // Made stale, it may be served within its grace.
      if (how === 4 && grace > 0) return;
      raise(process, key, version);
      const origin = origins[process]!;
      const { seq } = bus.sent.findLast((message) => message.origin === origin)!;
      const tell = (): void => raise(1 - process, key, version);
      if ((heard.get(origin) ?? 0) >= seq) tell();
      else unheard.push({ origin, seq, tell });
    });
  };

  // A first message of each tells who is who.
  for (const cache of caches) {
    const cleared = cache.clear();
    await gates.drain();
    await cleared;
    origins.push(bus.sent.at(-1)!.origin);
  }
  for (let step = 0; step < STEPS; step += 1) {
    const what = random();
    const [process, key] = [below(2), KEYS[below(2)]!];
    if (what < 0.35) read(process, key);
    else if (what < 0.5) invalidate(process, key);
    else if (what < 0.95) for (let n = below(4); n > 0; n -= 1) gates.release(below(Math.max(1, gates.size)));
    else clock.advance(below(120));
    for (let ticks = below(8); ticks > 0; ticks -= 1) await undefined;
  }
  await gates.drain();
  tally.lost += waiting.size;
  expect(bus.sent.every(({ origin, seq }) => seq <= (heard.get(origin) ?? 0))).toBe(true);
  // What is left in either memory or in the tier when all has come to rest.
  for (const [process, cache] of caches.entries()) {
    expect(cache.snapshot()).toMatchObject({ loadsInFlight: 0 });
    for (const key of KEYS) {
      const least = floors[process]!.get(key)!;
      const inMemory = cache.peek<number>(key)?.value;
      const looked = Promise.resolve(cache.get<number>(key));
      await gates.drain();
      const anywhere = await looked;
      if ((inMemory ?? least) < least || (anywhere ?? least) < least) tally.left += 1;
    }
  }
  expect([...floors[0]!]).toEqual([...floors[1]!]);
}

test('two processes with one tier and a slow bus: nothing stale is served or left, nobody waits for ever', async () => {
  const tally: Tally = { reads: 0, stale: 0, lost: 0, left: 0, loads: 0, invalidations: 0 };
  for (let seed = 1; seed <= RUNS; seed += 1) await run(seed, tally);
  expect(tally).toMatchObject({ stale: 0, lost: 0, left: 0 });
  // The runs did what they are for.
  expect(tally.reads).toBeGreaterThan(RUNS * 5);
  expect(tally.invalidations).toBeGreaterThan(RUNS * 2);
  expect(tally.loads).toBeGreaterThan(RUNS * 2);
}, 120_000);
