import { InvalidOptionError, integer } from '@weir/core';
import type { Member } from '../topology.ts';
import type { Owners } from './slot-table.ts';

/** Where a node's preference list begins and how it goes on. */
export type Permutation = (id: string, slots: number) => { readonly offset: number; readonly skip: number };

/** Envoy's own limit. */
const maxSlots = 5_000_011;

/** Reads the option `size`. @throws InvalidOptionError if it is not a prime within the limit. */
export function tableSize(given: number | undefined): number {
  const size = integer(given ?? 65_537, 'size', 2, maxSlots);
  for (let divisor = 2; divisor * divisor <= size; divisor += 1) {
    if (size % divisor === 0) throw new InvalidOptionError('size', 'a prime, such as 65537 or 655373', size);
  }
  return size;
}

/**
 * Maglev's table with Envoy's weights: in round r a node of weight w takes a slot only if r * w has caught up with what
 * it has taken, counted in units of the largest weight. Weights are divided by their sum first, as Envoy does, since
 * rounding decides ties.
 */
export function fill(all: readonly Member<unknown>[], permutation: Permutation, slots: number): Owners {
  const members = all.filter(({ weight }) => weight > 0);
  const count = members.length;
  if (count > slots) throw new InvalidOptionError('size', `at least ${count}, a slot a node`, slots);
  const table = count < 2 ** 16 ? new Uint16Array(slots) : new Uint32Array(slots);
  if (count === 0) return table;
  const taken = new Uint8Array(slots);
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const weights = Float64Array.from(members, ({ weight }) => weight / total);
  const largest = weights.reduce((a, b) => Math.max(a, b));
  const targets = new Float64Array(count);
  const next = new Uint32Array(count);
  const skips = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) {
    const { offset, skip } = permutation(members[i]!.id, slots);
    next[i] = offset;
    skips[i] = skip;
  }
  for (let round = 1, filled = 0; filled < slots; round += 1) {
    for (let i = 0; i < count && filled < slots; i += 1) {
      if (round * weights[i]! < targets[i]!) continue;
      targets[i]! += largest;
      let slot = next[i]!;
      while (taken[slot] === 1) slot = (slot + skips[i]!) % slots;
      taken[slot] = 1;
      table[slot] = i;
      next[i] = (slot + skips[i]!) % slots;
      filled += 1;
    }
  }
  return table;
}
