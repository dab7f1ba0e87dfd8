import type { Awaitable } from '@weir/core';
import type { Invalidation } from './invalidation.ts';

/** A second tier behind memory, such as Redis. One may serve any number of caches. */
export interface RemoteTier {
  /**
   * Opens the part of the tier that caches of this name share, in whatever process they are. Called once by each cache,
   * when it is made. It must not wait: a tier connects when it is first asked.
   *
   * @param cache the name that the cache was given; '' if it was given none
   */
  open(cache: string): RemoteStore;
}

/**
 * What a cache asks of a remote tier.
 *
 * The store keeps a sequence that each invalidation and each unconditional write advances, and remembers the number of
 * the last one per key, per tag, and for everything, for longer than any load takes. A read gives the sequence's number
 * as its stamp. A conditional write happens only if none of the numbers that concern its key or its tags is later than
 * its stamp; comparing and writing are one step. So a value that was loaded before an invalidation never outlives it.
 * The same numbers tell a read which entries have been overtaken, so that a tag need not list its keys.
 *
 * Writes and invalidations of one cache take effect in the order in which they are made; reads may go faster or slower.
 *
 * The cache bounds each call in time: `signal` aborts at `remoteTimeout`, and the cache goes on without waiting for the
 * promise. A read that rejects is a miss. An invalidation or unconditional write that rejects is passed to the caller as
 * a `RemoteError`.
 */
export interface RemoteStore {
  /** Reads entries and stamps, as many as keys and in their order, in one round trip. */
  read(keys: readonly string[], signal: AbortSignal): Promise<readonly RemoteRead[]>;
  /**
   * Writes an entry. If a lock came with the stamp, this ends it, whatever the result.
   *
   * @param stamp what the read gave that the load began with; undefined to write whatever came before
   * @returns false if an invalidation came after the stamp, and nothing was written.
   */
  write(
    key: string,
    entry: RemoteEntry,
    stamp: RemoteStamp | undefined,
    signal: AbortSignal,
  ): Promise<boolean>;
  /**
   * Forgets, or makes stale. Locks on keys that are deleted or expired end as well: what their holders are loading is
   * worth nothing any more.
   *
   * Resolves when no later read can see what was invalidated.
   */
  invalidate(what: Invalidation, signal: AbortSignal): Promise<void>;
  /** One load a key among all processes. Without it each process loads for itself. */
  readonly locks?: RemoteLocks | undefined;
  /** Called by the cache's own `close`. The client that the user passed stays the user's. */
  close?(): Awaitable<void>;
}

/** How processes keep from loading the same key at the same time. Locks are soft: they save loads, no value depends on them. */
export interface RemoteLocks {
  /**
   * Reads a key and, if it has no fresh entry and no other one holds the lock, takes the lock for `ms`: in one step.
   * The stamp says who holds it.
   */
  read(key: string, ms: number, signal: AbortSignal): Promise<LockedRead>;
  /**
   * Resolves when the lock of a key is free, because of a write, a release, an invalidation or its end; at once if it is
   * free already, for that may have happened since it was found busy: listen first, then look. It may resolve too early:
   * the cache reads again. `signal` aborts after what is left of `lockWait`, which may be seconds.
   */
  changed(key: string, signal: AbortSignal): Promise<void>;
  /** Ends a lock without a value, so that another process may load at once. */
  release(key: string, stamp: RemoteStamp, signal: AbortSignal): Promise<void>;
}

/** The tier's state of invalidation when something was read; and of locks, if one was taken. Opaque to the cache. */
export type RemoteStamp = NonNullable<unknown>;

/** An entry as the remote tier keeps it. Any value may come, null and undefined too, and must come back as it was. */
export interface RemoteEntry {
  readonly value: unknown;
  /** Fresh for so long after it was written. */
  readonly ttlMs: number;
  /** May be served stale for so long after that; then the tier forgets it. */
  readonly graceMs: number;
  /** How long its load took, for `earlyRefresh`. */
  readonly loadMs: number;
  readonly tags: readonly string[];
}

/** What a read found. */
export interface RemoteRead {
  /** For the write that may follow. Given also when there is no entry. */
  readonly stamp: RemoteStamp;
  /** Undefined: none, or one that a deletion, a tag or a clear has overtaken. */
  readonly entry?:
    | (RemoteEntry & { /** Since it was written, by the tier's own clock. */ readonly ageMs: number })
    | undefined;
}

/** What a read found that asked for the lock. */
export interface LockedRead extends RemoteRead {
  /** 'held': by this cache now. 'busy': by another one. 'free': not taken, for a fresh entry is there. */
  readonly lock: 'held' | 'busy' | 'free';
}
