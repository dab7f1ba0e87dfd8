import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../src/hash-key.ts';
import {
  createEnvoyMaglev,
  createEnvoyRing,
  createJump,
  createKetama,
  createRendezvous,
  hashKey,
  type KetamaCompat,
  type Topology,
} from '../src/index.ts';
import { md5 } from '../src/internal/md5.ts';
import { xxh64 } from '../src/internal/xxh64.ts';
import { hashCounts } from '../src/ketama.ts';

/** Placements computed by libmemcached 1.1.4, Guava 31.1, Envoy's unit tests and npm packages. */
const vectors = JSON.parse(readFileSync(new URL('./fixtures/vectors.json', import.meta.url), 'utf8'));

type Owners = Readonly<Record<string, string>>;
interface Server {
  readonly addr: string;
  readonly weight: number;
}
interface Hashes {
  readonly murmur3_32_seed0: number;
  readonly xxh64: string;
  readonly xxh64_seed1: string;
  readonly md5_u32le: number;
}

const expectOwners = (topology: Topology<unknown>, owners: Owners) => {
  const placed = Object.fromEntries(Object.keys(owners).map((key) => [key, topology.get(key)]));
  // Through JSON, since fromEntries and a parsed literal treat the key __proto__ alike only as own properties.
  expect(JSON.stringify(placed)).toBe(JSON.stringify(owners));
};

const text64 = (bytes: Uint8Array, seed: number): string => {
  const { hi, lo } = xxh64(bytes, bytes.length, seed);
  return String((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
};

describe('hashes', () => {
  test.each(Object.entries<Hashes>(vectors.hash_kat))('%j has the published hashes', (key, known) => {
    const bytes = bytesOf(key);
    expect(hashKey(key)).toBe(known.murmur3_32_seed0);
    expect(hashKey(bytes)).toBe(known.murmur3_32_seed0);
    expect(text64(bytes, 0)).toBe(known.xxh64);
    expect(text64(bytes, 1)).toBe(known.xxh64_seed1);
    expect(md5(bytes, bytes.length)[0]! >>> 0).toBe(known.md5_u32le);
  });

  test('murmur3 agrees with Guava over UTF-8', () => {
    for (const [key, hash] of Object.entries(vectors.jump.murmur3_32_fixed)) expect(hashKey(key)).toBe(hash);
  });

  test('MD5 agrees with the runtime at every length around its blocks', () => {
    for (let length = 0; length < 200; length += 1) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length);
      const digest = createHash('md5').update(bytes).digest();
      const words = [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
      expect([...md5(bytes, length)]).toEqual(words);
    }
  });
});

describe.each(['ketama_equal4', 'ketama_ports', 'ketama_equal7', 'ketama_equal25'])('%s', (name) => {
  const { servers, ...known } = vectors[name];
  const nodes = (servers as readonly Server[]).map(({ addr, weight }) => ({ id: addr, weight }));
  const columns = [
    ['libketama', known.libketama_addrLabel],
    ['libmemcached', known.libmemcached_KETAMA_WEIGHTED_defaultPortStripped],
  ] as const;

  test.each(columns)('%s places the keys there', (compat, owners) => {
    const ring = createKetama(nodes, { compat });
    for (const [key, owner] of Object.entries(owners as Owners)) expect(ring.get(key)?.id).toBe(owner);
    const sum = createHash('sha1');
    sum.update(Array.from({ length: 2000 }, (_, i) => ring.get(`user:${i}`)?.id).join('\n'));
    expect(sum.digest('hex')).toBe(known.checksum[compat]);
  });

  test('libmemcached gives each server its number of points', () => {
    const total = nodes.reduce((sum, { weight }) => sum + weight, 0);
    const points = nodes.map(({ id, weight }) => [
      id,
      4 * hashCounts.libmemcached(weight, total, nodes.length),
    ]);
    expect(Object.fromEntries(points)).toEqual(known.pointsPerServer);
  });
});

describe('ketama rounding of equal weights', () => {
  const known = vectors.ketama_rounding;
  const sizes = Array.from({ length: 2000 }, (_, i) => i + 1);
  const losing = (compat: KetamaCompat) => sizes.filter((n) => hashCounts[compat](1, n, n) < 40);

  test.each([
    ['hashring', known.double_loses_a_hash_at_n, known.double_count_upto_2000],
    ['libmemcached', known.libmemcached_float32_loses_a_hash_at_n, known.libmemcached_count_upto_2000],
  ] as const)('%s loses a hash at the known sizes', (compat, first, count) => {
    expect(losing(compat).slice(0, first.length)).toEqual(first);
    expect(losing(compat)).toHaveLength(count);
  });

  test('libketama loses one at 61, 122, 237, 244', () => {
    expect(losing('libketama').slice(0, 4)).toEqual([61, 122, 237, 244]);
  });
});

describe('Envoy', () => {
  const { hosts, min12_points, min12_at, min1024, min1024_size } = vectors.envoy_ring_hash;
  const ids: string[] = hosts.map(({ key }: { readonly key: string }) => key);

  test('the ring of twelve points is that of its unit test', () => {
    const points: { hash: string; host: string }[] = [];
    createEnvoyRing(ids, { minSize: 12 }).eachRange((host, _start, end) => {
      points.push({ hash: String((end as bigint) - 1n), host });
    });
    const beyond = points.pop();
    expect(points).toEqual(min12_points);
    expect(beyond).toEqual({ hash: String(2n ** 64n - 1n), host: min12_points[0].host });
  });

  test('a hash that is a point belongs to it, and beyond the last one to the first', () => {
    const ring = createEnvoyRing(ids, { minSize: 12 });
    for (const [hash, owner] of Object.entries(min12_at as Owners)) {
      const holds = (id: string) =>
        ring.ranges(id)?.some(({ start, end }) => start <= BigInt(hash) && BigInt(hash) < end);
      expect(ids.filter(holds)).toEqual([owner]);
    }
  });

  test('the ring of at least 1024 points places keys there', () => {
    const ring = createEnvoyRing(ids);
    let ranges = 0;
    ring.eachRange(() => {
      ranges += 1;
    });
    expect(ranges - 1).toBe(min1024_size);
    for (const [key, { hash, host }] of Object.entries<{ hash: string; host: string }>(min1024)) {
      expect(ring.position(key)).toBe(BigInt(hash));
      expect(ring.get(key)).toBe(host);
    }
  });

  const table = (topology: Topology<unknown>) => {
    const slots: string[] = [];
    topology.eachRange((id) => {
      slots.push(id);
    });
    return slots;
  };

  test('the Maglev tables of seven slots are those of its unit tests', () => {
    const { M7, M7_hostname_keys } = vectors.envoy_maglev;
    expect(table(createEnvoyMaglev(ids, { size: 7 }))).toEqual(M7);
    expect(table(createEnvoyMaglev(['90', '91', '92', '93', '94', '95'], { size: 7 }))).toEqual(
      M7_hostname_keys,
    );
  });

  test('the weighted Maglev table is the known one', () => {
    const nodes = [
      { id: '127.0.0.1:90', weight: 1 },
      { id: '127.0.0.1:91', weight: 2 },
    ];
    expect(table(createEnvoyMaglev(nodes, { size: 17 }))).toEqual(vectors.envoy_maglev.M17_weights_1_2);
  });
});

describe('jump', () => {
  const { rows, buckets, paperStyle } = vectors.jump;

  test.each<{ key: string; bucket: number[] }>(rows)(
    'key $key is in the bucket that Guava says',
    ({ key, bucket }) => {
      expect(buckets.map((n: number) => createJump(n).get(BigInt(key)))).toEqual(bucket);
      if (BigInt(key) <= Number.MAX_SAFE_INTEGER) {
        expect(buckets.map((n: number) => createJump(n).get(Number(key)))).toEqual(bucket);
      }
    },
  );

  test('the published keys are in the published buckets', () => {
    for (const [key, n, bucket] of paperStyle) expect(createJump(n).get(BigInt(key))).toBe(bucket);
    expect(createJump(11).get(2016238256797177309n)).toBe(3);
    expect(createJump(100001).get(2202)).toBe(15018);
    expect(createJump(100001).get(2)).toBe(80343);
  });
});

describe('rendezvous', () => {
  const { nodes, pymemcache_style, npm_rendezvous_hash_1_0_1, envoy } = vectors.rendezvous;

  test.each([
    [undefined, pymemcache_style],
    ['pymemcache', pymemcache_style],
    ['rendezvous-hash', npm_rendezvous_hash_1_0_1],
    ['envoy', envoy],
  ] as const)('rule %s places the keys there', (compat, { owners }) => {
    expectOwners(createRendezvous(nodes as string[], { compat }), owners);
  });
});
