import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ArcIndex } from '../src/internal/arc-index.ts';

interface Point {
  readonly hash: number;
  readonly slot: number;
}

/** What the index must say, by searching a sorted list; of equal points the lower slot comes first. */
const ownerOf = (points: readonly Point[], hash: number): number | undefined => {
  const sorted = points.toSorted((a, b) => a.hash - b.hash || a.slot - b.slot);
  return (sorted.find((point) => point.hash >= hash) ?? sorted[0])?.slot;
};

const indexOf = (points: readonly Point[], slots: number) => {
  const bySlot = points.toSorted((a, b) => a.slot - b.slot);
  return ArcIndex.from(
    Uint32Array.from(bySlot, ({ hash }) => hash),
    Uint32Array.from(bySlot, ({ slot }) => slot),
    slots,
  );
};

const last = 2 ** 32 - 1;
/** Hashes that collide, sit at the seam of the circle and of pages, or lie anywhere. */
const hash = fc.oneof(
  fc.integer({ min: 0, max: last }),
  fc.integer({ min: 0, max: 7 }),
  fc.integer({ min: last - 7, max: last }),
  fc.integer({ min: 0, max: 15 }).map((page) => page * 2 ** 28),
  fc.integer({ min: 1, max: 16 }).map((page) => page * 2 ** 28 - 1),
);
const slotPoints = fc.uniqueArray(hash, { maxLength: 12 });

const probes = (points: readonly Point[]) => [
  0,
  1,
  last,
  ...points.flatMap(({ hash: at }) => [at, Math.max(0, at - 1), Math.min(last, at + 1)]),
];

test('says what a search would say, whatever the points', () => {
  fc.assert(
    fc.property(fc.array(slotPoints, { minLength: 1, maxLength: 12 }), fc.array(hash), (lists, more) => {
      const points = lists.flatMap((hashes, slot) => hashes.map((at) => ({ hash: at, slot })));
      const index = indexOf(points, lists.length);
      expect(index.size).toBe(points.length);
      for (const probe of [...probes(points), ...more]) {
        const owner = ownerOf(points, probe);
        // Without points it is a slot that nobody has.
        if (owner === undefined) expect(index.owner(probe)).toBeGreaterThanOrEqual(lists.length);
        else expect(index.owner(probe)).toBe(owner);
        // A signed hash is the same hash.
        expect(index.owner(probe | 0)).toBe(index.owner(probe));
      }
    }),
    { numRuns: 300 },
  );
});

test('after any changes says what a new one says', () => {
  fc.assert(
    fc.property(
      fc.array(slotPoints, { minLength: 3, maxLength: 9 }),
      fc.array(fc.nat({ max: 8 }), { minLength: 1, maxLength: 12 }),
      (lists, changes) => {
        const present = new Set(lists.keys());
        const pointsNow = () =>
          [...present].flatMap((slot) => lists[slot]!.map((at) => ({ hash: at, slot })));
        let index = indexOf(pointsNow(), lists.length);
        for (const change of changes) {
          const slot = change % lists.length;
          const hashes = Uint32Array.from(lists[slot]!).sort();
          const add = !present.has(slot);
          if (add) present.add(slot);
          else present.delete(slot);
          const points = pointsNow();
          index =
            index.edit(hashes, slot, lists.length, add, (other) => (add ? other < slot : other !== slot)) ??
            indexOf(points, lists.length);
          expect(index.size).toBe(points.length);
          for (const probe of probes(points)) {
            const owner = ownerOf(points, probe);
            if (owner === undefined) expect(index.owner(probe)).toBeGreaterThanOrEqual(lists.length);
            else expect(index.owner(probe)).toBe(owner);
          }
        }
        const visited: Point[] = [];
        index.each(0, (at, slot) => visited.push({ hash: at, slot }) < 0);
        expect(visited).toEqual(pointsNow().sort((a, b) => a.hash - b.hash || a.slot - b.slot));
      },
    ),
    { numRuns: 300 },
  );
});

test('goes around the circle once, from any hash', () => {
  fc.assert(
    fc.property(slotPoints, hash, (hashes, from) => {
      const index = indexOf(
        hashes.map((at) => ({ hash: at, slot: 0 })),
        1,
      );
      const visited: number[] = [];
      index.each(from, (at) => visited.push(at) < 0);
      const sorted = hashes.toSorted((a, b) => a - b);
      expect(visited).toEqual([...sorted.filter((at) => at >= from), ...sorted.filter((at) => at < from)]);
    }),
    { numRuns: 300 },
  );
});

test('an old index is untouched by what was made of it', () => {
  const points = Array.from({ length: 200 }, (_, i) => ({
    hash: Math.imul(i, 0x9e3779b1) >>> 0,
    slot: i % 4,
  }));
  const index = indexOf(points, 5);
  const hashes = Uint32Array.from({ length: 50 }, (_, i) => Math.imul(i + 500, 0x9e3779b1)).sort();
  const a = index.edit(hashes.slice(), 4, 5, true, () => true)!;
  const b = a.edit(hashes.slice(), 4, 5, false, (other) => other !== 4)!;
  for (const { hash: probe } of points) {
    expect(index.owner(probe)).toBe(ownerOf(points, probe));
    expect(b.owner(probe)).toBe(ownerOf(points, probe));
  }
  for (const probe of hashes) expect(a.owner(probe)).toBe(4);
});
