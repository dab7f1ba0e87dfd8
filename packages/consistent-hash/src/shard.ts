import {
  callable,
  createKey,
  InvalidOptionError,
  type Key,
  knownOptions,
  oneOf,
  type Policy,
  problem,
  type Reply,
  text,
} from '@weir/core';
import type { HashKey } from './hash-key.ts';
import { idOf } from './internal/id-of.ts';
import type { KeySource } from './key-source.ts';
import type { Placement } from './topology.ts';

/** Where a request belongs. */
export interface Shard<T = unknown> {
  /** Id of the node. */
  readonly id: string;
  /** The node as it was given. */
  readonly node: T;
  /** What the request was placed by. */
  readonly key: HashKey;
  /** The placement's fingerprint. */
  readonly version: string;
}

/** The slot in which `shard()` hands the shard to handlers and later policies. */
export const shardKey: Key<Shard> = /* @__PURE__ */ createKey<Shard>('weir:shard');

export interface ShardOptions<T> {
  /** Where the key comes from: `fromHeader`, `fromCookie`, `fromParam`, `fromAddress`, or a function of yours. */
  readonly key: KeySource;
  /**
   * What says where a key lives: a topology, or a table of shards. A function is asked for each request, so that the
   * placement can be exchanged.
   */
  readonly topology: Placement<T> | (() => Placement<T>);
  /**
   * What becomes of a request without a key, or with an empty one: 'reject' answers 400, 'pass' lets it go on without a
   * shard.
   *
   * @default 'reject'
   */
  readonly missing?: 'reject' | 'pass' | undefined;
  /**
   * Id of the node that this process is. Given, a request that belongs elsewhere is answered 421 (Misdirected Request,
   * RFC 9110, 15.5.20), with the owner in the header.
   *
   * @default every request passes
   */
  readonly self?: string | undefined;
  /** Response header that names the shard; false sends none. @default 'x-shard' */
  readonly header?: string | false | undefined;
}

/**
 * A policy that finds out which shard a request belongs to, puts it on the exchange under `shardKey`, and names it in the
 * response header `x-shard`. Answers 503 if nobody owns the key. Costs the key, a lookup and an object.
 *
 * @throws InvalidOptionError if an option is missing, unknown or wrong.
 *
 * @example
 * const policy = shard({ key: fromHeader('x-tenant'), topology: createRing(['db-1', 'db-2']) });
 * // in a handler: exchangeOf(request).get(shardKey)?.node
 */
export function shard<T>(options: ShardOptions<T>): Policy {
  knownOptions(options, ['key', 'topology', 'missing', 'self', 'header'], 'shard');
  const { topology, header = 'x-shard' } = options;
  const key = callable(options.key, 'key');
  const reject = oneOf(options.missing ?? 'reject', 'missing', ['reject', 'pass'] as const) === 'reject';
  const self = options.self === undefined ? undefined : text(options.self, 'self');
  if (header !== false) text(header, 'header');
  if (typeof topology !== 'function' && typeof topology?.get !== 'function') {
    throw new InvalidOptionError(
      'topology',
      'a topology, a table of shards, or a function that gives one',
      topology,
    );
  }
  const placement = typeof topology === 'function' ? topology : () => topology;
  const noKey = problem(400, { detail: 'The request does not say which shard it belongs to.' });
  const noShard = problem(503, { detail: 'No shard is responsible for this request.' });
  const misdirected = problem(421, { detail: 'The request belongs to another shard.' });

  return {
    name: 'shard',
    enter(x): Reply | undefined {
      const found = key(x);
      if (found === undefined || found === '') return reject ? noKey : undefined;
      const place = placement();
      const node = place.get(found);
      if (node === undefined) return noShard;
      const id = idOf(node);
      x.set(shardKey, { id, node, key: found, version: place.version });
      if (header !== false) x.setHeader(header, headerSafe(id));
      return self === undefined || self === id ? undefined : misdirected;
    },
  };
}

/** An id as a field value: what is not visible ASCII is percent-encoded. */
function headerSafe(id: string): string {
  return /^[\x21-\x7e]+$/.test(id) ? id : encodeURIComponent(id.replace(/\p{Surrogate}/gu, '\ufffd'));
}
