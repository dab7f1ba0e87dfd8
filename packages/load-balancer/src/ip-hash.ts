import { createRing } from '@weir/consistent-hash';
import { addressGroup } from '@weir/core';
import { HashPicker, type MakeTopology } from './internal/hash-picker.ts';
import type { Strategy } from './strategy.ts';

/**
 * The server that the client's address falls to, an IPv6 client's by its /64: consistent hashing on a ring, so that a
 * server that comes or goes moves no clients but its own. A request without an address goes where two random choices
 * send it. Many clients behind one address are one client here.
 */
export function ipHash(): Strategy {
  return {
    name: 'ip-hash',
    start: ({ random }) =>
      new HashPicker(
        createRing as MakeTopology,
        ({ ip }) => (ip === undefined ? undefined : addressGroup(ip)),
        Number.POSITIVE_INFINITY,
        random,
      ),
  };
}
