import type { NodeObject, Topology } from '../src/index.ts';
import {
  createEnvoyMaglev,
  createEnvoyRing,
  createKetama,
  createMaglev,
  createRendezvous,
  createRing,
  hashShards,
} from '../src/index.ts';

export interface Contender {
  readonly name: string;
  readonly strings: (nodes: readonly string[]) => Topology<string>;
  readonly objects: <N extends NodeObject>(nodes: readonly N[]) => Topology<N & NodeObject>;
  /** Ownership follows from the set of nodes alone. */
  readonly orderless: boolean;
  /** A change moves only keys of the node that changed. */
  readonly minimal: boolean;
}

/** Every topology of named nodes, small enough to be made a few hundred times. */
export const contenders: readonly Contender[] = [
  {
    name: 'createRing',
    strings: (nodes) => createRing(nodes, { vnodes: 40 }),
    objects: (nodes) => createRing(nodes, { vnodes: 40 }) as never,
    orderless: true,
    minimal: true,
  },
  {
    name: 'createMaglev',
    strings: (nodes) => createMaglev(nodes, { size: 251 }),
    objects: (nodes) => createMaglev(nodes, { size: 251 }) as never,
    orderless: true,
    minimal: false,
  },
  {
    name: 'createRendezvous',
    strings: (nodes) => createRendezvous(nodes),
    objects: (nodes) => createRendezvous(nodes) as never,
    orderless: true,
    minimal: true,
  },
  {
    name: 'createRendezvous as npm rendezvous-hash',
    strings: (nodes) => createRendezvous(nodes, { compat: 'rendezvous-hash' }),
    objects: (nodes) => createRendezvous(nodes, { compat: 'rendezvous-hash' }) as never,
    orderless: true,
    minimal: true,
  },
  {
    name: 'createRendezvous as Envoy',
    strings: (nodes) => createRendezvous(nodes, { compat: 'envoy' }),
    objects: (nodes) => createRendezvous(nodes, { compat: 'envoy' }) as never,
    orderless: true,
    // The approximate logarithm is not quite monotonic, but weights scale all ranks alike.
    minimal: true,
  },
  {
    name: 'createKetama',
    strings: (nodes) => createKetama(nodes),
    objects: (nodes) => createKetama(nodes) as never,
    orderless: true,
    minimal: false,
  },
  {
    name: 'createEnvoyRing',
    strings: (nodes) => createEnvoyRing(nodes, { minSize: 64 }),
    objects: (nodes) => createEnvoyRing(nodes, { minSize: 64 }) as never,
    orderless: false,
    minimal: false,
  },
  {
    name: 'createEnvoyMaglev',
    strings: (nodes) => createEnvoyMaglev(nodes, { size: 251 }),
    objects: (nodes) => createEnvoyMaglev(nodes, { size: 251 }) as never,
    orderless: true,
    minimal: false,
  },
  {
    name: 'hashShards',
    strings: (nodes) => hashShards(nodes, { partitions: 128 }),
    objects: (nodes) => hashShards(nodes, { partitions: 128 }) as never,
    orderless: true,
    minimal: false,
  },
];

export const keys: readonly string[] = Array.from({ length: 300 }, (_, i) => `user:${i}`);

/** Keys and ids that trip stores made of plain objects, and text that is no Unicode. */
export const awkward: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'ключ',
  '日本語',
  '😀',
  '\ud800',
  'a\udc00b',
  '\0',
  ' ',
  'x'.repeat(100_000),
];
