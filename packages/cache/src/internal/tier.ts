import type { Invalidation } from '../invalidation.ts';
import type { LockedRead, RemoteRead, RemoteStamp, RemoteStore } from '../remote.ts';
import { within } from './deadline.ts';
import type { Entry } from './memory.ts';
import type { Settings } from './settings.ts';

/** The remote tier as a cache uses it: each call within a deadline. */
export class Tier {
  readonly #store: RemoteStore;
  readonly #timeout: number;
  /** How long a load waits for another process; 0: not at all. */
  readonly lockWait: number;
  /** What a load leaves behind in the tier: its value, or the end of its lock. */
  readonly #leaving = new Set<Promise<unknown>>();

  constructor(store: RemoteStore, { remoteTimeout, lockWait }: Settings) {
    this.#store = store;
    this.#timeout = remoteTimeout;
    this.lockWait = store.locks === undefined ? 0 : lockWait;
  }

  read(keys: readonly string[]): Promise<readonly RemoteRead[]> {
    const reading = within(this.#timeout, (signal) => this.#store.read(keys, signal));
    return reading.then((reads: unknown) => {
      if (Array.isArray(reads) && reads.length === keys.length && reads.every(isObject)) return reads;
      throw new TypeError('a remote tier must give a read for each key');
    });
  }

  readLocking(key: string): Promise<readonly [LockedRead]> {
    const { locks } = this.#store;
    return within(this.#timeout, (signal) => locks!.read(key, this.lockWait, signal)).then(single);
  }

  changed(key: string, ms: number): Promise<void> {
    return within(ms, (signal) => this.#store.locks!.changed(key, signal));
  }

  release(key: string, stamp: RemoteStamp): Promise<void> {
    return this.#leave(within(this.#timeout, (signal) => this.#store.locks!.release(key, stamp, signal)));
  }

  write(entry: Entry, stamp?: RemoteStamp): Promise<boolean> {
    const { key, value, tags, storedAt, freshUntil, graceMs, loadMs } = entry;
    const remote = { value, tags, graceMs, loadMs, ttlMs: freshUntil - storedAt };
    return this.#leave(within(this.#timeout, (signal) => this.#store.write(key, remote, stamp, signal)));
  }

  invalidate(what: Invalidation): Promise<void> {
    return within(this.#timeout, (signal) => this.#store.invalidate(what, signal));
  }

  /** Waits for what is on its way: else a lock would stay until it runs out, and other processes wait for it. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#leaving);
    await this.#store.close?.();
  }

  #leave<T>(work: Promise<T>): Promise<T> {
    this.#leaving.add(work);
    const left = (): void => void this.#leaving.delete(work);
    work.then(left, left);
    return work;
  }
}

const single = (read: LockedRead): readonly [LockedRead] => {
  if (isObject(read)) return [read];
  throw new TypeError('a remote tier must give a read');
};

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
