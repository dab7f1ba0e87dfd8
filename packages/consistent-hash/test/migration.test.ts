import { InvalidOptionError } from '@weir/core';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createEnvoyMaglev, createEnvoyRing, createMigration, createRing, hashShards } from '../src/index.ts';
import { keys } from './contract.ts';

const before = createRing(['a', 'b']);
const after = before.with('c');
const moving = keys.find((key) => before.get(key) !== after.get(key))!;
const staying = keys.find((key) => before.get(key) === after.get(key))!;

test('a key that moves is read from its new owner first and written to both, the old one first', () => {
  const migration = createMigration(before, after);
  expect(migration.readers(moving)).toEqual(['c', before.get(moving)]);
  expect(migration.writers(moving)).toEqual([before.get(moving), 'c']);
  expect(migration.readers(staying)).toEqual([before.get(staying)]);
  expect(migration.writers(staying)).toEqual([before.get(staying)]);
});

test('every key has two owners just if it moves, at the bounds of ranges as well', () => {
  // Positions are the slots of a small table, so that every bound is the position of some key.
  const from = createEnvoyMaglev(['a', 'b'], { size: 31 });
  const to = from.with('c');
  const migration = createMigration(from, to);
  expect(new Set(keys.map((key) => from.position(key))).size).toBe(31);
  for (const key of keys) {
    const owners = [from.get(key), to.get(key)];
    expect(migration.writers(key)).toEqual(owners[0] === owners[1] ? [owners[0]] : owners);
  }
});

test('a range that is done is at its new owner alone', () => {
  const migration = createMigration(before, after);
  const position = before.position(moving)!;
  const at = migration.moves.findIndex(({ start, end }) => start <= position && position < end);
  migration.complete(at);
  migration.complete(at);
  expect(migration.readers(moving)).toEqual(['c']);
  expect(migration.writers(moving)).toEqual(['c']);
  expect(migration.progress()).toMatchObject({ done: 1, moves: migration.moves.length });
});

test('progress goes from 0 to 1, and then everything is where the new placement says', () => {
  for (const [from, to] of [
    [before, after],
    [hashShards(['a', 'b']), hashShards(['a', 'b']).with('c')],
    [createEnvoyRing(['a', 'b']), createEnvoyRing(['a', 'b', 'c'])],
  ] as const) {
    const migration = createMigration(from, to);
    let share = 0;
    expect(migration.progress()).toEqual({ done: 0, moves: migration.moves.length, share: 0 });
    for (const i of migration.moves.keys()) {
      migration.complete(i);
      expect(migration.progress().share).toBeGreaterThan(share);
      share = migration.progress().share;
    }
    expect(share).toBe(1);
    for (const key of keys) expect(migration.readers(key)).toEqual([to.get(key)]);
  }
});

test('nothing to move is done at once', () => {
  const migration = createMigration(before, before);
  expect(migration.progress()).toEqual({ done: 0, moves: 0, share: 1 });
  expect(() => migration.complete(0)).toThrow(InvalidOptionError);
});

test('from nothing and to nothing there is one owner or none', () => {
  const empty = createRing([]);
  expect(createMigration(empty, before).readers('key')).toEqual([before.get('key')]);
  expect(createMigration(before, empty).writers('key')).toEqual([before.get('key')]);
  expect(createMigration(empty, empty).readers('key')).toEqual([]);
});

test('whatever is written during a migration is read, in any order of copying and marking', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('put', 'copy'), fc.nat({ max: 299 })), { maxLength: 60 }),
      async (steps) => {
        const stores: Record<string, Map<string, string>> = { a: new Map(), b: new Map(), c: new Map() };
        const truth = new Map<string, string>();
        for (const key of keys.slice(0, 100)) {
          truth.set(key, 'old');
          stores[before.get(key)!]!.set(key, 'old');
        }
        const migration = createMigration(before, after);
        for (const [i, [what, n]] of steps.entries()) {
          if (what === 'put') {
            const key = keys[n]!;
            truth.set(key, `new ${i}`);
            await migration.write(key, (node) => stores[node]!.set(key, `new ${i}`));
          } else {
            const at = n % migration.moves.length;
            const { from, to, start, end } = migration.moves[at]!;
            for (const [key, value] of stores[from!]!) {
              const position = before.position(key)!;
              if (start <= position && position < end && !stores[to!]!.has(key)) stores[to!]!.set(key, value);
            }
            migration.complete(at);
          }
          for (const [key, value] of truth) {
            expect(await migration.read(key, (node) => stores[node]!.get(key))).toBe(value);
          }
        }
      },
    ),
    { numRuns: 15 },
  );
});

test('a miss everywhere is undefined, and an error comes through', async () => {
  const migration = createMigration(before, after);
  const load = vi.fn(() => undefined);
  expect(await migration.read(moving, load)).toBeUndefined();
  expect(load.mock.calls).toEqual([['c'], [before.get(moving)]]);
  const failure = new Error('down');
  await expect(migration.read(moving, () => Promise.reject(failure))).rejects.toBe(failure);
  expect(await migration.read(moving, () => null)).toBeNull();
});

test('if the old owner fails nothing is written to the new one', async () => {
  const migration = createMigration(before, after);
  const save = vi.fn().mockRejectedValue(new Error('down'));
  await expect(migration.write(moving, save)).rejects.toThrow('down');
  expect(save.mock.calls).toEqual([[before.get(moving)]]);
});

test('an aborted signal stops between two owners', async () => {
  const migration = createMigration(before, after);
  const controller = new AbortController();
  const load = vi.fn(() => controller.abort(new Error('gone')));
  await expect(migration.read(moving, load as never, { signal: controller.signal })).rejects.toThrow('gone');
  expect(load).toHaveBeenCalledTimes(1);
  await expect(migration.write(moving, load, { signal: controller.signal })).rejects.toThrow('gone');
  expect(load).toHaveBeenCalledTimes(1);
});

test('is a component that JSON can carry', () => {
  const migration = createMigration(before, after, { name: 'to-three' });
  expect([migration.kind, migration.name]).toEqual(['migration', 'to-three']);
  expect(migration.snapshot()).toMatchObject({ from: before.version, to: after.version, share: 0 });
  expect(migration.metrics()).toMatchObject([
    { name: 'weir_consistent_hash_migration_done_ratio', value: 0 },
  ]);
  expect(() => createMigration(before, after, { step: 1 } as never)).toThrow(InvalidOptionError);
});
