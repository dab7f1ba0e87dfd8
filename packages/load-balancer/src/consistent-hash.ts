import { createRing, type NodeObject, type Topology } from '@weir/consistent-hash';
import { InvalidOptionError, knownOptions } from '@weir/core';
import { HashPicker, type MakeTopology } from './internal/hash-picker.ts';
import type { Strategy } from './strategy.ts';

export interface ConsistentHashOptions {
  /**
   * What keys are placed by: a function that makes a topology of nodes `{ id: url, weight }`, such as `createMaglev` of
   * `@weir/consistent-hash`, or a topology, which is given the pool's servers by `with` and `without`.
   *
   * @default createRing
   */
  readonly topology?: MakeTopology | Topology<string> | Topology<NodeObject>;
  /**
   * Bounds loads: a server is given at most `factor` times its fair share of what is in flight, rounded up, and the key goes
   * to the next one in its order of preference. A finite number >= 1; 1.25 is usual.
   *
   * @default unbounded
   */
  readonly factor?: number;
}

/**
 * The server that owns the request's `key`, the same one as long as it may be chosen. The topology holds all servers of
 * the pool, so while one is ejected, down or draining only its own keys go elsewhere, each to the next in its order of
 * preference, and they come back with it. A request without a key goes where two random choices send it.
 *
 * Cost: that of the topology, O(1) for a ring; bounded loads after Mirrokni, Thorup and Zadimoghaddam (2016).
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * createPool(urls, { strategy: consistentHash({ topology: createMaglev, factor: 1.25 }) }).acquire({ key: 'user:1' });
 */
export function consistentHash(options: ConsistentHashOptions = {}): Strategy {
  knownOptions(options, ['topology', 'factor'], 'consistentHash');
  const { topology = createRing as MakeTopology, factor = Number.POSITIVE_INFINITY } = options;
  if (typeof topology !== 'function' && typeof topology?.with !== 'function') {
    throw new InvalidOptionError('topology', 'a topology, or a function that makes one', topology);
  }
  if (options.factor !== undefined && !(typeof factor === 'number' && factor >= 1 && factor < Infinity)) {
    throw new InvalidOptionError('factor', 'a finite number >= 1', factor);
  }
  return {
    name: 'consistent-hash',
    start: ({ random }) => new HashPicker(topology, (choice) => choice.key, factor, random),
  };
}
