import type { Clock } from '@weir/core';
import type {
  Bus,
  BusListener,
  BusMember,
  BusMessage,
  Invalidation,
  LockedRead,
  RemoteEntry,
  RemoteLocks,
  RemoteRead,
  RemoteStamp,
  RemoteStore,
  RemoteTier,
} from '../src/index.ts';

interface Kept {
  readonly entry: RemoteEntry;
  readonly writtenAt: number;
  /** Number of the write, or of the read that a conditional write went by. */
  readonly number: number;
  expiredAt: number;
}

interface Stamp {
  readonly number: number;
  readonly token: number;
}

/** What all stores of one name share. */
class Shelf {
  sequence = 0;
  cleared = 0;
  readonly keys = new Map<string, number>();
  readonly tags = new Map<string, number>();
  readonly entries = new Map<string, Kept>();
  readonly locks = new Map<string, { readonly token: number; readonly until: number }>();
  readonly waiting = new Map<string, (() => void)[]>();

  /** The number of the last invalidation that concerns such an entry. */
  overtakenAt(key: string, tags: readonly string[]): number {
    const numbers = tags.map((tag) => this.tags.get(tag) ?? 0);
    return Math.max(this.cleared, this.keys.get(key) ?? 0, ...numbers);
  }

  wake(key: string): void {
    for (const go of this.waiting.get(key)?.splice(0) ?? []) go();
  }
}

/**
 * A remote tier in memory, true to the contract. Values pass through JSON. Faults and delays are set by the test.
 */
export class FakeTier implements RemoteTier {
  readonly #clock: Clock;
  readonly #shelves = new Map<string, Shelf>();
  /** Each call, as 'read a,b', 'write a', 'delete a', ... */
  readonly calls: string[] = [];
  /** Each call rejects with this. */
  failing: Error | undefined;
  /** Calls never settle. */
  frozen = false;
  /** Waited for before a call takes effect, and again before its answer is seen. */
  delay: (() => Promise<void>) | undefined;
  withLocks = false;
  closed = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(cache: string): RemoteStore {
    return new FakeStore(this, this.shelf(cache), this.#clock);
  }

  shelf(cache: string): Shelf {
    let shelf = this.#shelves.get(cache);
    if (shelf === undefined) this.#shelves.set(cache, (shelf = new Shelf()));
    return shelf;
  }
}

/** One process's connection: its writes and invalidations take effect in order, its reads whenever they like. */
class FakeStore implements RemoteStore {
  readonly #tier: FakeTier;
  readonly #shelf: Shelf;
  readonly #clock: Clock;
  readonly locks: RemoteLocks | undefined;
  #line: Promise<unknown> = Promise.resolve();

  constructor(tier: FakeTier, shelf: Shelf, clock: Clock) {
    this.#tier = tier;
    this.#shelf = shelf;
    this.#clock = clock;
    if (tier.withLocks) this.locks = this.#locks();
  }

  read(keys: readonly string[]): Promise<readonly RemoteRead[]> {
    return this.#call(`read ${keys.join()}`, () => keys.map((key) => this.#read(key)));
  }

  write(key: string, entry: RemoteEntry, stamp: RemoteStamp | undefined): Promise<boolean> {
    const json = JSON.stringify(entry);
    return this.#call(`write ${key}`, () => {
      const shelf = this.#shelf;
      const given = stamp as Stamp | undefined;
      if (given !== undefined) this.#unlock(key, given);
      shelf.wake(key);
      if (given !== undefined && shelf.overtakenAt(key, entry.tags) > given.number) return false;
      if (given === undefined) shelf.keys.set(key, (shelf.sequence += 1));
      const writtenAt = this.#clock.now();
      const number = given?.number ?? shelf.sequence;
      shelf.entries.set(key, {
        entry: JSON.parse(json),
        writtenAt,
        number,
        expiredAt: Number.POSITIVE_INFINITY,
      });
      return true;
    });
  }

  invalidate(what: Invalidation): Promise<void> {
    const names = what.kind === 'clear' ? '' : ` ${what.kind === 'tags' ? what.tags : what.keys}`;
    return this.#call(`${what.kind}${names}`, () => {
      const shelf = this.#shelf;
      shelf.sequence += 1;
      if (what.kind === 'clear') shelf.cleared = shelf.sequence;
      else if (what.kind === 'tags') for (const tag of what.tags) shelf.tags.set(tag, shelf.sequence);
      else {
        for (const key of what.keys) {
          const kept = what.kind === 'expire' ? this.#alive(key) : undefined;
          shelf.keys.set(key, shelf.sequence);
          shelf.locks.delete(key);
          if (kept === undefined) shelf.entries.delete(key);
          else shelf.entries.set(key, { ...kept, number: shelf.sequence, expiredAt: this.#clock.now() });
          shelf.wake(key);
        }
      }
    });
  }

  close(): void {
    this.#tier.closed += 1;
  }

  #locks(): RemoteLocks {
    return {
      read: (key, ms) =>
        this.#call(`lock ${key}`, (): LockedRead => {
          const { locks, sequence } = this.#shelf;
          const now = this.#clock.now();
          const read = this.#read(key);
          const { entry } = read;
          if (entry !== undefined && entry.ageMs < entry.ttlMs) return { ...read, lock: 'free' };
          const held = locks.get(key);
          if (held !== undefined && now < held.until) return { ...read, lock: 'busy' };
          const token = Math.max(0, ...[...locks.values()].map((lock) => lock.token)) + 1;
          locks.set(key, { token, until: now + ms });
          return { ...read, stamp: { number: sequence, token }, lock: 'held' };
        }),
      changed: (key, signal) => {
        this.#tier.calls.push(`wait ${key}`);
        const { waiting, locks } = this.#shelf;
        return new Promise((resolve, reject) => {
          if (this.#clock.now() >= (locks.get(key)?.until ?? 0)) resolve();
          waiting.set(key, [...(waiting.get(key) ?? []), resolve]);
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
      release: (key, stamp) =>
        this.#call(`release ${key}`, () => {
          this.#unlock(key, stamp as Stamp);
          this.#shelf.wake(key);
        }),
    };
  }

  #unlock(key: string, { token }: Stamp): void {
    if (this.#shelf.locks.get(key)?.token === token) this.#shelf.locks.delete(key);
  }

  #alive(key: string): Kept | undefined {
    const kept = this.#shelf.entries.get(key);
    if (kept === undefined || kept.number < this.#shelf.overtakenAt(key, kept.entry.tags)) return undefined;
    const { ttlMs, graceMs } = kept.entry;
    const end = Math.min(kept.writtenAt + ttlMs, kept.expiredAt) + graceMs;
    return this.#clock.now() < end ? kept : undefined;
  }

  #read(key: string): RemoteRead {
    const stamp: Stamp = { number: this.#shelf.sequence, token: 0 };
    const kept = this.#alive(key);
    if (kept === undefined) return { stamp };
    const { entry, writtenAt, expiredAt } = kept;
    const ageMs = this.#clock.now() - writtenAt;
    const ttlMs = Math.min(entry.ttlMs, expiredAt - writtenAt);
    return { stamp, entry: { ...structuredClone(entry), ttlMs, ageMs } };
  }

  async #call<T>(name: string, effect: () => T): Promise<T> {
    const tier = this.#tier;
    tier.calls.push(name);
    if (tier.frozen) return new Promise<T>(() => {});
    if (tier.failing !== undefined) throw tier.failing;
    if (tier.delay === undefined) return effect();
    const reads = name.startsWith('read') || name.startsWith('lock');
    const done = (reads ? Promise.resolve() : this.#line).then(tier.delay).then(effect);
    if (!reads) this.#line = done.catch(() => {});
    const answer = await done;
    await tier.delay();
    return answer;
  }
}

/** A bus in memory. Messages pass through JSON, and wait for `delay` on their way to each member. */
export class FakeBus implements Bus {
  readonly members: { readonly cache: string; readonly listener: BusListener }[] = [];
  readonly sent: BusMessage[] = [];
  failing: Error | undefined;
  /** Messages that are lost before they are delivered again. */
  losing = 0;
  delay: (() => Promise<void>) | undefined;
  /** Called when a member has been given a message. */
  delivered: ((listener: BusListener, message: BusMessage) => void) | undefined;

  join(cache: string, listener: BusListener): BusMember {
    const seat = { cache, listener };
    this.members.push(seat);
    const lines = new Map<unknown, Promise<void>>();
    return {
      publish: async (message) => {
        if (this.failing !== undefined) throw this.failing;
        this.sent.push(message);
        if (this.losing > 0) {
          this.losing -= 1;
          return;
        }
        const text = JSON.stringify(message);
        for (const member of this.members.filter((each) => each.cache === cache)) {
          const deliver = (): void => {
            member.listener.message(JSON.parse(text));
            this.delivered?.(member.listener, message);
          };
          if (this.delay === undefined) deliver();
          else lines.set(member, (lines.get(member) ?? Promise.resolve()).then(this.delay).then(deliver));
        }
      },
      leave: () => void this.members.splice(this.members.indexOf(seat), 1),
    };
  }
}
