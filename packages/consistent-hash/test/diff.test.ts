import { WeirError } from '@weir/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createEnvoyRing,
  createJump,
  createKetama,
  createMaglev,
  createRendezvous,
  createRing,
  diff,
  hashShards,
  movedKeys,
  type Topology,
} from '../src/index.ts';
import { keys } from './contract.ts';

const ids = fc.uniqueArray(fc.constantFrom(...'abcdefgh'), { maxLength: 8 });

describe.each([
  ['createRing', (nodes: readonly string[]): Topology<string> => createRing(nodes, { vnodes: 10 })],
  ['createMaglev', (nodes: readonly string[]): Topology<string> => createMaglev(nodes, { size: 31 })],
  ['createKetama', (nodes: readonly string[]): Topology<string> => createKetama(nodes)],
  [
    'createEnvoyRing',
    (nodes: readonly string[]): Topology<string> => createEnvoyRing(nodes, { minSize: 32 }),
  ],
  ['hashShards', (nodes: readonly string[]): Topology<string> => hashShards(nodes, { partitions: 16 })],
])('%s', (_name, make) => {
  test('says of every key whether and where it moves', () => {
    fc.assert(
      fc.property(ids, ids, (before, after) => {
        const a = make(before);
        const b = make(after);
        const { moves, share } = diff(a, b);
        for (const key of keys.slice(0, 60)) {
          const position = a.position(key)!;
          const move = moves.find(({ start, end }) => start <= position && position < end);
          const [from, to] = [a.get(key), b.get(key)];
          expect(move && [move.from, move.to]).toEqual(from === to ? undefined : [from, to]);
        }
        expect(moves.reduce((sum, move) => sum + move.share, 0)).toBeCloseTo(share, 9);
        for (const [i, move] of moves.entries()) {
          expect(move.start < move.end).toBe(true);
          const last = moves[i - 1];
          if (last !== undefined) {
            expect(last.end <= move.start).toBe(true);
            expect(last.end === move.start && last.from === move.from && last.to === move.to).toBe(false);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test('finds nothing between equals, and everything from and to nothing', () => {
    expect(diff(make(['a', 'b']), make(['b', 'a']))).toEqual({ share: 0, moves: [] });
    expect(diff(make([]), make([]))).toEqual({ share: 0, moves: [] });
    expect(diff(make([]), make(['a']))).toMatchObject({
      share: 1,
      moves: [{ from: undefined, to: 'a', share: 1 }],
    });
    expect(diff(make(['a']), make([]))).toMatchObject({
      share: 1,
      moves: [{ from: 'a', to: undefined, share: 1 }],
    });
  });
});

test('a node that joins a ring takes its share, from everyone, and nothing else moves', () => {
  const ring = createRing(Array.from({ length: 9 }, (_, i) => `n${i}`));
  const { share, moves } = diff(ring, ring.with('n9'));
  expect(share).toBeGreaterThan(0.07);
  expect(share).toBeLessThan(0.13);
  expect(new Set(moves.map(({ to }) => to))).toEqual(new Set(['n9']));
  expect(new Set(moves.map(({ from }) => from)).size).toBe(9);
});

test('a ring can be compared with a Maglev table, since both hash alike', () => {
  const ring = createRing(['a', 'b']);
  const table = createMaglev(['a', 'b']);
  const { share } = diff(ring, table);
  const moved =
    [
      ...movedKeys(
        ring,
        table,
        Array.from({ length: 5000 }, (_, i) => `k${i}`),
      ),
    ].length / 5000;
  expect(Math.abs(share - moved)).toBeLessThan(0.03);
});

test.each([
  [createRing(['a']), createKetama(['a'])],
  [createRendezvous(['a']), createRendezvous(['b'])],
  [createJump(1), createJump(2)],
  [createRing(['a']), createEnvoyRing(['a'])],
])('refuses what cannot be compared', (a, b) => {
  expect(() => diff(a, b)).toThrow(WeirError);
  expect(() => diff(a, b)).toThrow(/use movedKeys/);
});

test('movedKeys finds the keys that move, lazily, for any placements', () => {
  const before = createJump(4);
  const moved = [...movedKeys(before, before.with(), keys)];
  expect(moved.length).toBeGreaterThan(20);
  for (const { key, from, to } of moved) {
    expect(from).toBe(String(before.get(key)));
    expect(to).toBe('4');
  }
  const endless = (function* () {
    for (let i = 0; ; i += 1) yield `key-${i}`;
  })();
  const objects = createRing([{ id: 'a' }]);
  expect(movedKeys(objects, createRing([{ id: 'b' }]), endless).next().value).toEqual({
    key: 'key-0',
    from: 'a',
    to: 'b',
  });
  expect(movedKeys(createRing([]), objects, ['x']).next().value).toEqual({
    key: 'x',
    from: undefined,
    to: 'a',
  });
});
