import { ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import {
  createLimiter,
  fixedWindow,
  type KeyStorage,
  mapStorage,
  slidingLog,
  tableStorage,
  tokenBucket,
} from '../src/index.ts';
import { hashed, hashKey } from '../src/internal/key-hash.ts';
import { algorithms } from './contract.ts';

const storages: readonly [string, () => KeyStorage, sprayed: number][] = [
  ['the table', () => tableStorage({ seed: [1, 2] }), 1_000_000],
  ['the map', () => mapStorage(), 200_000],
];

const address = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

describe.each(storages)('%s', (_, storage, sprayed) => {
  test(`frees none of 200 exhausted attackers for ${sprayed} sprayed keys, and serves each of those`, () => {
    const clock = new ManualClock();
    const limiter = createLimiter({
      limits: tokenBucket({ limit: 10, per: '1h' }),
      maxKeys: 8192,
      storage: storage(),
      clock,
    });
    const attackers = Array.from({ length: 200 }, (_each, i) => `attacker-${i}`);
    for (const attacker of attackers) for (let i = 0; i < 12; i += 1) limiter.check(attacker);
    let served = 0;
    let freed = 0;
    for (let i = 0; i < sprayed; i += 1) {
      if (limiter.check(address(i)).allowed) served += 1;
      if (i % 20_000 === 0) for (const attacker of attackers) if (limiter.check(attacker).allowed) freed += 1;
    }
    for (const attacker of attackers) if (limiter.check(attacker).allowed) freed += 1;
    expect({ served, freed }).toEqual({ served: sprayed, freed: 0 });
    expect(limiter.snapshot()).toMatchObject({ overflowed: 0 });
    expect(limiter.snapshot().evicted).toBeGreaterThan(sprayed - 20_000);
    expect(limiter.snapshot().keys).toBeLessThanOrEqual(8192 * 1.5 + 16);
    // An honest newcomer can use all of its limit.
    for (let i = 0; i < 10; i += 1) expect(limiter.check('honest').allowed).toBe(true);
    expect(limiter.check('honest').allowed).toBe(false);
  });

  test.each(algorithms)('so it is with %s', (_name, make) => {
    const clock = new ManualClock();
    const limiter = createLimiter({ limits: make(10, 3_600_000), maxKeys: 256, storage: storage(), clock });
    const attackers = Array.from({ length: 20 }, (_each, i) => `attacker-${i}`);
    for (const attacker of attackers) limiter.check(attacker, { cost: 10 });
    for (let i = 0; i < 20_000; i += 1) expect(limiter.check(address(i)).allowed).toBe(true);
    for (const attacker of attackers) expect(limiter.check(attacker).allowed).toBe(false);
  });

  test('keeps a block through a flood, also among nothing but exhausted keys', () => {
    const limiter = createLimiter({
      limits: fixedWindow({ limit: 1, per: '1d' }),
      maxKeys: 64,
      storage: storage(),
      clock: new ManualClock(),
    });
    for (let i = 0; i < 1000; i += 1) limiter.check(address(i));
    limiter.block('blocked', '1h');
    for (let i = 1000; i < 50_000; i += 1) limiter.check(address(i));
    expect(limiter.check('blocked')).toMatchObject({ allowed: false, policy: 'blocked' });
  });

  test('keeps a block while room is made for more keys', () => {
    const limiter = createLimiter({
      limits: fixedWindow({ limit: 9, per: '1d' }),
      maxKeys: 10_000,
      storage: storage(),
    });
    limiter.check('blocked');
    limiter.block('blocked', '1h');
    for (let i = 0; i < 5000; i += 1) limiter.check(address(i));
    expect(limiter.check('blocked')).toMatchObject({ allowed: false, policy: 'blocked' });
    expect(limiter.check(address(4999)).allowed).toBe(true);
  });

  test('when all keys are exhausted, new ones share what is left: counted, and never one that has its own', () => {
    const clock = new ManualClock();
    const limiter = createLimiter({
      limits: tokenBucket({ limit: 5, per: '1h' }),
      maxKeys: 64,
      storage: storage(),
      clock,
    });
    let admitted = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const key = address(i);
      for (let hit = 0; hit < 6; hit += 1) if (limiter.check(key).allowed) admitted += 1;
    }
    // Each slot gave 5, the shared ones too.
    expect(admitted).toBeLessThanOrEqual(5 * (64 * 1.5 + 16 + 64));
    expect(admitted).toBeGreaterThanOrEqual(5 * (64 + 60));
    expect(limiter.snapshot().overflowed).toBeGreaterThan(100_000);
    // Peek, refund and reset of one that shares know that it does.
    expect(limiter.peek(address(19_999))).toMatchObject({ allowed: false, remaining: 0 });
    limiter.refund(address(19_999), 2);
    expect(limiter.peek(address(19_999))).toMatchObject({ remaining: 2 });
    limiter.reset(address(19_999));
    expect(limiter.peek(address(19_999))).toMatchObject({ remaining: 5 });
    // Once they are idle again, slots are given to those who come.
    clock.advance('1h');
    const { overflowed } = limiter.snapshot();
    for (let i = 0; i < 30; i += 1) expect(limiter.check(`late-${i}`, { cost: 5 }).allowed).toBe(true);
    expect(limiter.snapshot().overflowed).toBe(overflowed);
  });

  test('gives an idle key away before one in use, and counts only the latter', () => {
    const clock = new ManualClock();
    const limiter = createLimiter({
      limits: [fixedWindow({ limit: 5, per: '1h' }), slidingLog({ limit: 4, per: '1h' })],
      maxKeys: 100,
      storage: storage(),
      clock,
    });
    for (let i = 0; i < 100; i += 1) limiter.check(`old-${i}`);
    clock.advance('2h');
    for (let i = 0; i < 40; i += 1) limiter.check(`new-${i}`, { cost: 2 });
    for (let i = 0; i < 40; i += 1) expect(limiter.peek(`new-${i}`).remaining).toBe(2);
    expect(limiter.snapshot()).toMatchObject({ evicted: 0, overflowed: 0 });
  });

  test('keeps keys apart, whatever is in them', () => {
    const limiter = createLimiter({ limits: fixedWindow({ limit: 1, per: '1d' }), storage: storage() });
    const keys = ['', '\0', '\0\0', '__proto__', 'constructor', 'hasOwnProperty', 'a:b', 'a', 'b', 'a:b:c'];
    keys.push(
      'x'.repeat(1_000_000),
      `${'x'.repeat(999_999)}y`,
      'ключ',
      '\u{1f511}',
      '\ud800',
      '[object Object]',
    );
    for (const key of keys) expect(limiter.check(key).allowed).toBe(true);
    for (const key of keys) expect(limiter.check(key).allowed).toBe(false);
    // Built anew, so that it is another string of the same content.
    expect(limiter.check(['x', 'x'.repeat(999_999)].join('')).allowed).toBe(false);
  });

  test('gives 100,000 keys their own counts', () => {
    const clock = new ManualClock();
    const limiter = createLimiter({
      limits: tokenBucket({ limit: 3, per: '1d' }),
      maxKeys: 100_000,
      storage: storage(),
      clock,
    });
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 100_000; i += 1) {
        if (!limiter.check(address(i)).allowed) expect.unreachable(`key ${i} was refused in round ${round}`);
      }
    }
    for (let i = 0; i < 100_000; i += 1) {
      if (limiter.check(address(i)).allowed) expect.unreachable(`key ${i} was admitted a fourth time`);
    }
    expect(limiter.snapshot().keys).toBe(100_000);
    expect(limiter.snapshot().overflowed).toBe(0);
  });

  test('holds a single key', () => {
    const limiter = createLimiter({
      limits: fixedWindow({ limit: 1, per: '1d' }),
      maxKeys: 1,
      storage: storage(),
      clock: new ManualClock(),
    });
    expect([limiter.check('a').allowed, limiter.check('a').allowed]).toEqual([true, false]);
    for (let i = 0; i < 200; i += 1) limiter.check(address(i));
    expect(limiter.check('a').allowed).toBe(false);
  });

  test('remembers what a map would, in random traces with few keys', () => {
    const random = seededRandom(3);
    const clock = new ManualClock();
    const limits = [fixedWindow({ limit: 4, per: 1000 }), tokenBucket({ limit: 9, per: 3000 })];
    const limiter = createLimiter({ limits, maxKeys: 200, storage: storage(), clock });
    const single = new Map<string, ReturnType<typeof createLimiter>>();
    for (let i = 0; i < 20_000; i += 1) {
      clock.advance(Math.floor(random() * 30));
      const key = `k${Math.floor(random() * 100)}`;
      const own = single.get(key) ?? createLimiter({ limits, maxKeys: 1, clock });
      single.set(key, own);
      const dice = random();
      if (dice < 0.02) {
        limiter.block(key, 500);
        own.block(key, 500);
      } else if (dice < 0.04) {
        limiter.reset(key);
        own.reset(key);
      } else expect(limiter.check(key)).toEqual(own.check(key));
    }
  });
});

describe('the hash of keys', () => {
  const hash = (key: string, seed: readonly [number, number] = [7, 9]): string => {
    hashKey(key, seed);
    return [...hashed].join('-');
  };

  test('tells keys apart that differ in a unit, a length, or an order', () => {
    const keys = ['', '\0', '\0\0', '\0\0\0', 'a', 'b', 'ab', 'ba', 'abc', 'abcd', 'a\0', 'ā', '\u0101', 'é'];
    expect(new Set(keys.map((key) => hash(key))).size).toBe(new Set(keys).size);
    expect(new Set(Array.from({ length: 100_000 }, (_, i) => hash(address(i)))).size).toBe(100_000);
  });

  test('follows the seed, so that nobody can prepare keys that collide', () => {
    expect(hash('k', [1, 2])).not.toBe(hash('k', [1, 3]));
    expect(hash('k', [1, 2])).not.toBe(hash('k', [2, 2]));
    expect(hash('k', [1, 2])).toBe(hash('k', [1, 2]));
  });

  test('flips about half of its bits for any one bit of a key, in both halves', () => {
    const bits = (a: number, b: number): number => {
      let different = a ^ b;
      let count = 0;
      for (; different !== 0; different &= different - 1) count += 1;
      return count;
    };
    const flips = { a: 0, b: 0, samples: 0 };
    for (let i = 0; i < 500; i += 1) {
      const key = address(i);
      hashKey(key, [7, 9]);
      const [a, b] = [hashed[0]!, hashed[1]!];
      for (let at = 0; at < key.length; at += 1) {
        const other = key.slice(0, at) + String.fromCharCode(key.charCodeAt(at) ^ 1) + key.slice(at + 1);
        hashKey(other, [7, 9]);
        flips.a += bits(a, hashed[0]!);
        flips.b += bits(b, hashed[1]!);
        flips.samples += 1;
      }
    }
    expect(flips.a / flips.samples).toBeCloseTo(16, 0);
    expect(flips.b / flips.samples).toBeCloseTo(16, 0);
  });

  test('is keyed anew for each table', () => {
    // Two tables of one slot group: which key goes first differs from table to table.
    const fates = new Set<string>();
    for (let i = 0; i < 20; i += 1) {
      const limiter = createLimiter({ limits: fixedWindow({ limit: 1, per: '1d' }), maxKeys: 40 });
      for (let k = 0; k < 400; k += 1) limiter.check(address(k));
      fates.add(Array.from({ length: 400 }, (_, k) => Number(limiter.peek(address(k)).allowed)).join(''));
      fates.add(String(limiter.snapshot().keys));
    }
    expect(fates.size).toBeGreaterThan(1);
  });
});
