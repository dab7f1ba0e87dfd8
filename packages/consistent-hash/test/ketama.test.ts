import { InvalidOptionError } from '@weir/core';
import { expect, test } from 'vitest';
import { createKetama, type KetamaCompat } from '../src/index.ts';
import { hashCounts } from '../src/ketama.ts';

test('libmemcached alone leaves the default port out of the label', () => {
  const withPort = ['a:11211', 'b:11211', 'c:11212'];
  const without = ['a', 'b', 'c:11212'];
  const stripped = (owner: string | undefined) => owner?.replace(/:11211$/, '');
  let differ = 0;
  for (let i = 0; i < 200; i += 1) {
    const key = `key-${i}`;
    const bare = createKetama(without, { compat: 'libmemcached' }).get(key);
    expect(stripped(createKetama(withPort, { compat: 'libmemcached' }).get(key))).toBe(bare);
    if (stripped(createKetama(withPort).get(key)) !== bare) differ += 1;
  }
  expect(differ).toBeGreaterThan(0);
});

test('the rules place keys differently at 7 servers', () => {
  const nodes = Array.from({ length: 7 }, (_, i) => `10.1.0.${i}:11212`);
  const owners = (compat: KetamaCompat) => {
    const ring = createKetama(nodes, { compat });
    return Array.from({ length: 2000 }, (_, i) => ring.get(`user:${i}`));
  };
  const libketama = owners('libketama');
  expect(owners('libmemcached')).toEqual(libketama);
  const differ = owners('hashring').filter((owner, i) => owner !== libketama[i]).length;
  expect(differ).toBeGreaterThan(20);
  expect(differ).toBeLessThan(100);
});

test('a weight far below the average has no point, as in the clients', () => {
  const ring = createKetama([
    { id: 'a:1', weight: 1 },
    { id: 'b:1', weight: 100 },
  ]);
  expect(ring.stats().shares[0]).toEqual({ id: 'a:1', weight: 1, share: 0 });
  expect(ring.getN('key', 2).map(({ id }) => id)).toEqual(['b:1']);
});

test('refuses another rule', () => {
  expect(() => createKetama(['a'], { compat: 'ketama' as never })).toThrow(InvalidOptionError);
});

test('weights of memory in bytes are rounded to a float first, as in C', () => {
  // 33629951 is no float, the next one is: 33629952 of 112099840 is 0.3.
  expect(hashCounts.libketama(33_629_951, 112_099_840, 1)).toBe(12);
  expect(hashCounts.libmemcached(33_629_951, 112_099_840, 1)).toBe(12);
  expect(hashCounts.hashring(33_629_951, 112_099_840, 1)).toBe(11);
});
