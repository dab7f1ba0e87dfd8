import { createKetama, createMaglev, createRendezvous, createRing } from '@weir/consistent-hash';
import { ManualClock, seededRandom } from '@weir/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistentHash,
  createPool,
  ipHash,
  type Lease,
  leastConnections,
  leastResponseTime,
  type Pool,
  powerOfTwoChoices,
  random,
  roundRobin,
  type Strategy,
  weightedRandom,
  weightedRoundRobin,
} from '../src/index.ts';
import { a, abc, b, c, counted, lease, serve, served, weighing } from './support.ts';

const all: { readonly [name: string]: () => Strategy } = {
  roundRobin,
  weightedRoundRobin,
  random,
  weightedRandom,
  leastConnections,
  leastResponseTime,
  powerOfTwoChoices,
  ipHash,
  consistentHash,
  'consistentHash, bounded': () => consistentHash({ factor: 1.25 }),
  'consistentHash on Maglev': () => consistentHash({ topology: createMaglev }),
};

describe.each(Object.entries(all))('%s, as every strategy,', (_name, strategy) => {
  test('chooses somebody as long as there is somebody, and never one that is excluded', () => {
    for (const size of [1, 2, 3, 20]) {
      const pool = createPool(weighing(...Array.from({ length: size }, (_, i) => 1 + (i % 3))), {
        strategy: strategy(),
        random: seededRandom(size),
      });
      const urls = pool.upstreams.map(({ url }) => url);
      const rng = seededRandom(size);
      for (let i = 0; i < 300; i += 1) {
        const exclude = urls.filter(() => rng() < 0.5);
        const chosen = serve(pool, 'ok', { exclude, key: `key ${i}`, ip: `192.0.2.${i}` });
        if (exclude.length === size) expect(chosen).toBeUndefined();
        else expect(urls.filter((url) => !exclude.includes(url))).toContain(chosen);
      }
      expect(pool.acquire({ exclude: urls, key: 'k', ip: '192.0.2.1' })).toBeUndefined();
    }
  });

  test('never sends anything to a server of weight 0, nor to one that has left', () => {
    const pool = createPool([...weighing(2, 0, 3), a], { strategy: strategy(), random: seededRandom(1) });
    pool.remove(a);
    for (let i = 0; i < 200; i += 1) {
      expect(['http://s0', 'http://s2']).toContain(serve(pool, 'ok', { key: `${i}`, ip: `10.0.0.${i}` }));
    }
    pool.setWeight('http://s0', 0);
    pool.setWeight('http://s2', 0);
    expect(pool.acquire({ key: 'k', ip: '10.0.0.1' })).toBeUndefined();
  });

  test('may serve two pools at once', () => {
    const one = strategy();
    const pools = [1, 2].map(() =>
      createPool(abc, { strategy: one, random: seededRandom(5), clock: new ManualClock() }),
    );
    const [first, second] = pools.map((pool) =>
      Array.from({ length: 30 }, (_, i) => serve(pool, 'ok', { key: `${i}`, ip: `10.0.0.${i}` })),
    );
    expect(first).toEqual(second);
  });

  test('keeps counts right while servers come, go, fail and change weight', () => {
    const rng = seededRandom(7);
    const clock = new ManualClock();
    const pool = createPool(weighing(1, 2, 3), {
      strategy: strategy(),
      random: rng,
      clock,
      slowStart: '1s',
      outliers: { consecutiveFailures: 2, ejectFor: 500 },
    });
    const held: Lease[] = [];
    let joined = 3;
    for (let i = 0; i < 1_500; i += 1) {
      const dice = rng();
      const anyone = pool.upstreams[Math.floor(rng() * pool.upstreams.length)]!;
      if (dice < 0.01 && pool.upstreams.length < 25) pool.add(`http://s${joined++}`);
      else if (dice < 0.015 && pool.upstreams.length > 2) pool.remove(anyone.url);
      else if (dice < 0.02) pool.setWeight(anyone.url, 1 + Math.floor(rng() * 5));
      else if (dice < 0.55) {
        const taken = pool.acquire({ key: `key ${i}`, ip: `10.0.${i >> 8}.${i & 255}` });
        expect(taken).toBeDefined();
        held.push(taken!);
      } else {
        const [given] = held.splice(Math.floor(rng() * held.length), 1);
        given?.release({ outcome: rng() < 0.3 ? 'failure' : rng() < 0.2 ? 'ignore' : 'ok', durationMs: 5 });
      }
      clock.advance(Math.floor(rng() * 20));
      const wrong = pool.upstreams.filter(
        (upstream) => upstream.inFlight !== held.filter((each) => each.upstream === upstream).length,
      );
      expect(wrong).toEqual([]);
    }
    for (const each of held) each.release({ outcome: 'ok' });
    expect(pool.upstreams.every(({ inFlight }) => inFlight === 0)).toBe(true);
  });
});

describe('roundRobin', () => {
  test('takes each in turn', () => {
    expect(served(createPool(abc, { strategy: roundRobin() }), 7)).toEqual([a, b, c, a, b, c, a]);
  });

  test('skips the excluded ones in turn', () => {
    expect(served(createPool(abc, { strategy: roundRobin() }), 4, { exclude: [b] })).toEqual([a, c, a, c]);
  });

  test.each([roundRobin, weightedRoundRobin])(
    'may begin anywhere, so that many balancers do not begin alike',
    (strategy) => {
      const first = Array.from({ length: 200 }, (_, seed) =>
        serve(createPool(abc, { strategy: strategy({ start: 'random' }), random: seededRandom(seed) })),
      );
      for (const url of abc) expect(first.filter((each) => each === url).length).toBeGreaterThan(40);
      expect(() => strategy({ start: 'anywhere' as never })).toThrow(/start/);
    },
  );
});

/** The algorithm as nginx has it, step by step. */
function nginx(weights: readonly number[], steps: number): number[] {
  const peers = weights.map((weight, index) => ({ index, weight, current: 0 }));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Array.from({ length: steps }, () => {
    let best: (typeof peers)[number] | undefined;
    for (const peer of peers) {
      peer.current += peer.weight;
      if (best === undefined || peer.current > best.current) best = peer;
    }
    best!.current -= total;
    return best!.index;
  });
}

describe('weightedRoundRobin', () => {
  const sequence = (weights: readonly number[], steps: number): string =>
    served(createPool(weighing(...weights), { strategy: weightedRoundRobin() }), steps)
      .map((url) => 'abcdefghij'[Number(url?.slice('http://s'.length))])
      .join(' ');

  test.each([
    [[5, 1, 1], 'a a b a c a a'],
    [[4, 2, 1], 'a b a c a b a'],
    [[3, 2, 1], 'a b a c b a'],
    [[10, 1], 'a a a a a b a a a a a'],
    [[1, 1, 1], 'a b c'],
    [[7], 'a a a a a a a'],
  ])('%j gives %s, and again', (weights, expected) => {
    const { length } = expected.split(' ');
    expect(sequence(weights, 2 * length)).toBe(`${expected} ${expected}`);
  });

  test('goes the way of nginx step by step, whatever the weights, the first, second and third time', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }), (weights) => {
        const steps = 3 * weights.reduce((sum, weight) => sum + weight, 0);
        const pool = createPool(weighing(...weights), { strategy: weightedRoundRobin() });
        const expected = nginx(weights, steps).map((index) => `http://s${index}`);
        expect(served(pool, steps)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('chooses each exactly as often as it weighs in every period, and never strays by a whole turn', () => {
    const rng = seededRandom(3);
    for (let run = 0; run < 30; run += 1) {
      const weights = Array.from({ length: 2 + Math.floor(rng() * 20) }, () => 1 + Math.floor(rng() * 20));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const pool = createPool(weighing(...weights), { strategy: weightedRoundRobin() });
      for (let period = 0; period < 2; period += 1) {
        const counts = weights.map(() => 0);
        for (let step = 1; step <= total; step += 1) {
          counts[Number(serve(pool)?.slice('http://s'.length))]! += 1;
          const strays = weights.map((weight, i) => Math.abs(counts[i]! - (step * weight) / total));
          expect(Math.max(...strays)).toBeLessThan(1);
        }
        expect(counts).toEqual(weights);
      }
    }
  });

  test('keeps to it where the period is too long for a table', () => {
    const weights = [65_535, 65_534, 3];
    const pool = createPool(weighing(...weights), { strategy: weightedRoundRobin() });
    const steps = 50_000;
    expect(served(pool, steps)).toEqual(nginx(weights, steps).map((index) => `http://s${index}`));
  });

  test('reaches one of little weight when the heavy ones are excluded', () => {
    const pool = createPool(weighing(60_000, 1), { strategy: weightedRoundRobin() });
    expect(serve(pool, 'ok', { exclude: ['http://s0'] })).toBe('http://s1');
  });
});

/** The test statistic of Pearson's chi-square test against expected shares. */
function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const n = counts.reduce((sum, count) => sum + count, 0);
  const total = shares.reduce((sum, share) => sum + share, 0);
  return counts.reduce(
    (sum, count, i) => sum + (count - (n * shares[i]!) / total) ** 2 / ((n * shares[i]!) / total),
    0,
  );
}

describe('chance', () => {
  /** With 9 degrees of freedom, a right generator goes beyond this once in a thousand times. */
  const critical = 27.877;
  const picks = 1_000_000;

  const draws = (strategy: Strategy, weights: readonly number[]): number[] => [
    ...counted(
      createPool(weighing(...weights), { strategy, random: seededRandom(11), outliers: false }),
      picks,
    ).values(),
  ];

  test('random gives all the same share: chi-square at p > .001, while shares 2 % off would be noticed', () => {
    const even = Array.from({ length: 10 }, () => 100);
    const counts = draws(random(), even);
    expect(chiSquare(counts, even)).toBeLessThan(critical);
    expect(chiSquare(counts, [102, ...even.slice(1)])).toBeGreaterThan(critical);
  });

  test('weightedRandom gives each its share: chi-square at p > .001, while shares 2 % off would be noticed', () => {
    const weights = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89];
    const counts = draws(weightedRandom(), weights);
    expect(chiSquare(counts, weights)).toBeLessThan(critical);
    expect(chiSquare(counts, weights.with(9, 91))).toBeGreaterThan(critical);
  });

  test('among those not excluded, shares are as they should be too', () => {
    for (const [strategy, weights] of [
      [random(), [1, 1, 1]],
      [weightedRandom(), [1, 2, 5]],
    ] as const) {
      const pool = createPool([...weighing(1, 2, 5), a], { strategy, random: seededRandom(4) });
      const counts = counted(pool, 100_000, { exclude: [a] });
      // 2 degrees of freedom, p = .001.
      expect(chiSquare([...counts.values()].slice(0, 3), weights)).toBeLessThan(13.816);
    }
  });

  test('powerOfTwoChoices compares two different servers, each pair as often', () => {
    const pool = createPool(weighing(1, 1, 1, 1), { strategy: powerOfTwoChoices(), random: seededRandom(2) });
    // With s0 busy the most, s1 less and so on, the winner tells which pairs were drawn.
    const held = [3, 2, 1].flatMap((times, i) =>
      Array.from({ length: times }, () =>
        lease(pool, {
          exclude: pool.upstreams.map(({ url }) => url).filter((url) => url !== `http://s${i}`),
        }),
      ),
    );
    const counts = counted(pool, 60_000);
    expect(counts.get('http://s0')).toBe(0);
    // 1, 2 and 3 of the 6 pairs.
    for (const [i, pairs] of [1, 2, 3].entries()) {
      expect(counts.get(`http://s${i + 1}`)! / 10_000).toBeCloseTo(pairs, 1);
    }
    for (const each of held) each.release({ outcome: 'ok' });
  });
});

describe('leastConnections', () => {
  test('takes the one with the fewest in flight', () => {
    const pool = createPool(abc);
    const held = [lease(pool), lease(pool), lease(pool)];
    expect(new Set(held.map(({ upstream }) => upstream.url))).toEqual(new Set(abc));
    held[1]!.release({ outcome: 'ok' });
    expect(pool.acquire()?.upstream.url).toBe(held[1]!.upstream.url);
  });

  test.each([3, 16, 17, 40])('breaks ties in rotation among %i', (size) => {
    const pool = createPool(weighing(...Array.from({ length: size }, () => 1)), {
      strategy: leastConnections(),
    });
    const round = served(pool, size);
    expect(new Set(round).size).toBe(size);
    expect(served(pool, size)).toEqual(round);
  });

  test.each([3, 16, 17, 60])('always takes one of the least loaded for their weights, of %i', (size) => {
    const rng = seededRandom(size);
    const pool = createPool(weighing(...Array.from({ length: size }, () => 1 + Math.floor(rng() * 4))), {
      strategy: leastConnections(),
    });
    const load = (exclude: readonly string[]): number =>
      Math.min(
        ...pool.upstreams
          .filter(({ url }) => !exclude.includes(url))
          .map(({ inFlight, weight }) => (inFlight + 1) / weight),
      );
    const held: Lease[] = [];
    for (let i = 0; i < 2_000; i += 1) {
      if (held.length === 0 || rng() < 0.55) {
        const exclude = rng() < 0.2 ? [`http://s${Math.floor(rng() * size)}`] : [];
        const least = load(exclude);
        const taken = lease(pool, { exclude });
        expect(taken.upstream.inFlight / taken.upstream.weight).toBe(least);
        held.push(taken);
      } else held.splice(Math.floor(rng() * held.length), 1)[0]?.release({ outcome: 'ok' });
    }
  });

  test('many balancers that begin at the same moment do not all rush to the same server', () => {
    const pools: Pool[] = Array.from({ length: 20 }, () =>
      createPool(weighing(...Array.from({ length: 20 }, () => 1)), { strategy: leastConnections() }),
    );
    const counts = new Map<string, number>();
    for (const pool of pools) {
      for (let i = 0; i < 20; i += 1) {
        const { url } = lease(pool).upstream;
        counts.set(url, (counts.get(url) ?? 0) + 1);
      }
    }
    expect(new Set(counts.values())).toEqual(new Set([20]));
  });
});

describe('leastResponseTime', () => {
  const timed = (urls: readonly string[] = abc, options = {}) => {
    const clock = new ManualClock();
    const pool = createPool(urls, {
      strategy: leastResponseTime(options),
      clock,
      random: seededRandom(1),
      outliers: false,
    });
    const answer = (
      url: string,
      durationMs: number | undefined,
      outcome: 'ok' | 'failure' | 'ignore' = 'ok',
    ) => {
      const taken = lease(pool, { exclude: urls.filter((each) => each !== url) });
      clock.advance(durationMs ?? 7);
      taken.release({ outcome, ...(durationMs === undefined ? {} : { durationMs }) });
    };
    const latency = (url: string) => pool.upstreams.find((upstream) => upstream.url === url)!.latencyMs;
    return { clock, pool, answer, latency };
  };

  test('prefers the one that answers quickly, and the slower one when that is busier than it is quick', () => {
    const { pool, answer } = timed([a, b]);
    answer(a, 10);
    answer(b, 25);
    const urls = Array.from({ length: 5 }, () => lease(pool).upstream.url);
    expect(urls).toEqual([a, a, b, a, a]);
  });

  test('measures by itself what it is not told', () => {
    const { answer, latency } = timed();
    answer(a, undefined);
    answer(b, 12.5);
    expect([latency(a), latency(b), latency(c)]).toEqual([7, 12.5, 0]);
  });

  test('a slow answer counts at once, quick ones win trust back over the decay time', () => {
    const { clock, answer, latency } = timed(abc, { decay: '1s' });
    answer(a, 10);
    answer(a, 100);
    expect(latency(a)).toBe(100);
    clock.advance(1_000);
    answer(a, 10);
    expect(latency(a)).toBeCloseTo(55, 0);
  });

  test('a failure makes it worse or nothing: to fail quickly is not to be quick', () => {
    const { answer, latency } = timed();
    answer(a, 50);
    answer(a, 1, 'failure');
    expect(latency(a)).toBe(50);
    answer(a, 80, 'failure');
    expect(latency(a)).toBe(80);
  });

  test('what a client broke off says nothing about the server', () => {
    const { answer, latency } = timed();
    answer(a, 5_000, 'ignore');
    expect(latency(a)).toBe(0);
  });

  test('one that was slow once is tried again in time', () => {
    const { clock, pool, answer } = timed([a, b]);
    answer(a, 10);
    answer(b, 1_000);
    expect(served(pool, 5)).toEqual([a, a, a, a, a]);
    clock.advance('1h');
    answer(a, 10);
    expect(serve(pool)).toBe(b);
  });

  test('an unknown server is given one request, and no other before that is answered', () => {
    const { pool, answer } = timed();
    answer(a, 10);
    const first = [lease(pool), lease(pool)];
    expect(new Set(first.map(({ upstream }) => upstream.url))).toEqual(new Set([b, c]));
    expect(Array.from({ length: 20 }, () => lease(pool).upstream.url)).toEqual(Array(20).fill(a));
    first[0]!.release({ outcome: 'ok', durationMs: 10 });
    expect(lease(pool).upstream).toBe(first[0]!.upstream);
  });

  test('with many servers two are compared, and the quicker ones get more', () => {
    const clock = new ManualClock();
    const urls = Array.from({ length: 20 }, (_, i) => `http://s${i}`);
    const pool = createPool(urls, { strategy: leastResponseTime(), clock, random: seededRandom(1) });
    const slow = (url: string) => Number(url.slice('http://s'.length)) < 10;
    for (let i = 0; i < 2_000; i += 1) {
      clock.advance(1);
      const taken = lease(pool);
      taken.release({ outcome: 'ok', durationMs: slow(taken.upstream.url) ? 50 : 5 });
    }
    const { upstreams } = pool.snapshot() as unknown as { upstreams: { url: string; picked: number }[] };
    const got = upstreams.filter(({ url }) => slow(url)).reduce((sum, { picked }) => sum + picked, 0);
    // A slow one is chosen only where both are slow: 9/38 of the pairs.
    expect(got / 2_000).toBeGreaterThan(0.15);
    expect(got / 2_000).toBeLessThan(0.3);
  });

  test('refuses a bad option', () => {
    expect(() => leastResponseTime({ decay: 0 })).toThrow(/decay/);
    expect(() => leastResponseTime({ decays: 1 } as never)).toThrow(/decays/);
  });
});

describe('the strategy of a pool that is given none', () => {
  test('is least connections up to 16 servers, and looks at response times of two with more', () => {
    const clock = new ManualClock();
    const urls = Array.from({ length: 16 }, (_, i) => `http://s${i}`);
    const pool = createPool(urls, { clock, random: seededRandom(1) });
    expect(served(pool, 32)).toEqual([...urls, ...urls]);
    lease(pool).release({ outcome: 'ok', durationMs: 5 });
    expect(pool.upstreams.every(({ latencyMs }) => latencyMs === 0)).toBe(true);
    pool.add('http://s16');
    for (let i = 0; i < 200; i += 1) lease(pool).release({ outcome: 'ok', durationMs: 5 });
    expect(pool.upstreams.filter(({ latencyMs }) => latencyMs === 5).length).toBeGreaterThan(10);
    pool.remove('http://s16');
    expect(new Set(served(pool, 16)).size).toBe(16);
  });
});

const keys = Array.from({ length: 2_000 }, (_, i) => `user:${i}`);

describe('consistentHash', () => {
  const urls = Array.from({ length: 10 }, (_, i) => `http://s${i}`);
  const owners = (pool: Pool, exclude: readonly string[] = []) =>
    keys.map((key) => serve(pool, 'ok', { key, ...(exclude.length > 0 ? { exclude } : {}) }));

  test.each([
    ['a ring', undefined],
    ['Maglev', createMaglev],
    ['rendezvous hashing', createRendezvous],
    ['ketama', (nodes: Parameters<typeof createKetama>[0]) => createKetama(nodes, { compat: 'libketama' })],
    ['a ring that was made before', createRing<string>(['http://s0', 'http://gone'])],
  ])(
    'on %s, a key stays where it is; only those of a server that is away move, and come back with it',
    (_name, topology) => {
      const strategy = consistentHash(topology === undefined ? {} : { topology: topology as never });
      const pool = createPool(urls, { strategy });
      const before = owners(pool);
      expect(owners(pool)).toEqual(before);
      expect(new Set(before).size).toBe(10);
      void pool.drain('http://s3');
      const during = owners(pool);
      for (const [i, owner] of before.entries()) {
        if (owner === 'http://s3') expect(during[i]).not.toBe('http://s3');
        else expect(during[i]).toBe(owner);
      }
      pool.resume('http://s3');
      expect(owners(pool)).toEqual(before);
      expect(owners(pool, ['http://s3'])).toEqual(during);
    },
  );

  test('agrees with the topology itself', () => {
    const ring = createRing(urls);
    expect(owners(createPool(urls, { strategy: consistentHash() }))).toEqual(
      keys.map((key) => ring.get(key)),
    );
  });

  test('a server that is removed moves its own keys only, and one that is added takes its share', () => {
    for (const topology of [createRing, createRing<string>([])]) {
      const pool = createPool(urls, { strategy: consistentHash({ topology: topology as never }) });
      const before = owners(pool);
      pool.remove('http://s3');
      const without = owners(pool);
      expect(before.filter((owner, i) => owner !== without[i] && owner !== 'http://s3')).toEqual([]);
      pool.add('http://s10');
      const grown = owners(pool);
      const moved = grown.filter((owner, i) => owner !== without[i]);
      expect(new Set(moved)).toEqual(new Set(['http://s10']));
      pool.setWeight('http://s10', 3);
      expect(owners(pool).filter((owner) => owner === 'http://s10').length).toBeGreaterThan(2 * moved.length);
    }
  });

  test('with a factor, no server is given more than that times its fair share, and the hot key spills', () => {
    const pool = createPool(urls, { strategy: consistentHash({ factor: 1.25 }) });
    const rng = seededRandom(1);
    const held: Lease[] = [];
    for (let i = 0; i < 3_000; i += 1) {
      if (held.length < 10 || rng() < 0.6) {
        const taken = lease(pool, { key: rng() < 0.5 ? 'hot' : `key ${i}` });
        held.push(taken);
        expect(taken.upstream.inFlight).toBeLessThanOrEqual(Math.ceil((1.25 * held.length) / 10));
      } else held.splice(Math.floor(rng() * held.length), 1)[0]?.release({ outcome: 'ok' });
    }
    expect(new Set(held.map(({ upstream }) => upstream.url)).size).toBe(10);
  });

  test('when all that may be chosen are full, the key goes to the first of them in its order', () => {
    const pool = createPool([a, b], { strategy: consistentHash({ factor: 1 }) });
    const held = [
      lease(pool, { key: 'k' }),
      lease(pool, { key: 'k', exclude: [b] }),
      lease(pool, { key: 'k', exclude: [b] }),
    ];
    expect(held.slice(1).map(({ upstream }) => upstream.url)).toEqual([a, a]);
  });

  test('a request without a key goes to the less loaded of two', () => {
    const pool = createPool([a, b], { strategy: consistentHash(), random: seededRandom(1) });
    for (let i = 0; i < 10; i += 1) {
      lease(pool);
      lease(pool);
      expect(pool.upstreams.map(({ inFlight }) => inFlight)).toEqual([i + 1, i + 1]);
    }
  });

  test.each([
    ['topology', { topology: 'ring' }],
    ['factor', { factor: 0.9 }],
    ['factor', { factor: Number.POSITIVE_INFINITY }],
    ['vnodes', { vnodes: 100 }],
  ])('refuses a bad `%s`', (option, options) => {
    expect(() => consistentHash(options as never)).toThrow(expect.objectContaining({ option }));
  });
});

describe('ipHash', () => {
  test('keeps an address at its server, and an IPv6 network at one', () => {
    const pool = createPool(abc, { strategy: ipHash() });
    const at = (ip: string) => serve(pool, 'ok', { ip });
    for (let i = 0; i < 50; i += 1) {
      expect(at(`192.0.2.${i}`)).toBe(at(`192.0.2.${i}`));
      expect(at(`2001:db8:${i}:1::1`)).toBe(at(`2001:db8:${i}:1:ffff:2:3:4`));
    }
    const spread = new Set(Array.from({ length: 50 }, (_, i) => at(`192.0.2.${i}`)));
    expect(spread).toEqual(new Set(abc));
  });

  test('a request without an address goes somewhere', () => {
    expect(abc).toContain(serve(createPool(abc, { strategy: ipHash() })));
  });
});
