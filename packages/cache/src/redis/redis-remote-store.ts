import type { Clock } from '@weir/core';
import { entityKey, type RedisClient, slotOf } from '@weir/redis';
import type { Invalidation } from '../invalidation.ts';
import type {
  LockedRead,
  RemoteEntry,
  RemoteLocks,
  RemoteRead,
  RemoteStamp,
  RemoteStore,
} from '../remote.ts';
import { type Envelope, envelopeOf, open, seal, versionOf } from './envelope.ts';
import { invalidateKeys, invalidateTags, releaseLock, serverTime, takeLock, writeEntry } from './scripts.ts';
import type { Serializer } from './serializer.ts';
import { Shard } from './shard.ts';
import { Wakes } from './wakes.ts';

export interface StoreSettings {
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly rememberMs: number;
  readonly shards: number;
  readonly serializer: Serializer;
  readonly clock: Clock;
}

interface Stamp {
  readonly number: number;
  /** Of the lock that is held; '' if none is. */
  readonly token: string;
}

type Data = string | Uint8Array | null;

/** What lies in Redis under a key, and what it is worth. */
interface Seen {
  readonly data: Data;
  /** Of the entry. */
  readonly number: number;
  readonly entry: RemoteRead['entry'];
}

/** Keys in one call. */
const MOST_KEYS = 300;
/** How long the server's clock is taken to agree with ours, ms. */
const CLOCK_HOLDS = 10_000;
/** What our idea of the server's clock is off by at most, us. */
const CLOCK_ERROR = 1_000_000;
/** An entry that changes again and again while its lock is asked for. */
const MOST_TRIES = 3;

/** One cache's part of Redis. */
export class RedisRemoteStore implements RemoteStore {
  readonly locks: RemoteLocks;
  readonly #client: RedisClient;
  readonly #settings: StoreSettings;
  readonly #shards: readonly Shard[];
  readonly #envelope: string;
  readonly #wakes: Wakes;
  readonly #options: { readonly timeoutMs: number; readonly binary: boolean };

  constructor(client: RedisClient, cache: string, settings: StoreSettings) {
    const { prefix, shards, serializer, timeoutMs } = settings;
    this.#client = client;
    this.#settings = settings;
    this.#shards = Array.from({ length: shards }, (_, i) => new Shard(prefix, cache, i));
    this.#envelope = envelopeOf(serializer);
    this.#options = { timeoutMs, binary: serializer.binary === true };
    this.#wakes = new Wakes(client, timeoutMs);
    this.locks = {
      read: (key, ms) => this.#readLocking(key, ms),
      changed: (key, signal) => {
        const [shard, name] = this.#placeOf(key);
        return this.#wakes.changed(shard, name, signal);
      },
      release: (key, stamp) => this.#release(key, (stamp as Stamp).token),
    };
  }

  async read(keys: readonly string[]): Promise<readonly RemoteRead[]> {
    const reads: RemoteRead[] = new Array(keys.length);
    const parts = this.#byShard(keys).flatMap(([shard, places]) =>
      chunks(places).map(async (some) => {
        const found = await this.#readShard(
          shard,
          some.map(({ name }) => name),
        );
        for (const [i, { index }] of some.entries()) reads[index] = found[i]!;
      }),
    );
    await (parts.length === 1 ? parts[0] : Promise.all(parts));
    return reads;
  }

  async write(key: string, entry: RemoteEntry, stamp: RemoteStamp | undefined): Promise<boolean> {
    const [shard, name] = this.#placeOf(key);
    const { sequence, cleared, ends, channel } = shard;
    const { number = '', token = '' } = (stamp as Stamp | undefined) ?? {};
    const { rememberMs, serializer } = this.#settings;
    const tags = entry.tags.map((tag) => shard.tag(nameOf(tag)));
    const keys = [sequence, cleared, ends, shard.entry(name), shard.number(name), shard.lock(name), ...tags];
    const args = [number, token, rememberMs, channel, name, this.#envelope, ...seal(entry, serializer)];
    return (await this.#client.run(writeEntry, keys, args, this.#options)) === 1;
  }

  async invalidate(what: Invalidation): Promise<void> {
    const { rememberMs } = this.#settings;
    if (what.kind === 'delete' || what.kind === 'expire') {
      const parts = this.#byShard(what.keys).flatMap(([shard, places]) =>
        chunks(places).map((some) => {
          const names = some.map(({ name }) => name);
          const keys = names.flatMap((name) => [shard.entry(name), shard.number(name), shard.lock(name)]);
          const args = [what.kind === 'delete' ? 1 : 0, rememberMs, shard.channel, ...names];
          return this.#client.run(invalidateKeys, [shard.sequence, ...keys], args, this.#options);
        }),
      );
      await Promise.all(parts);
      return;
    }
    const names = what.kind === 'tags' ? what.tags.map(nameOf) : [];
    const parts = this.#shards.flatMap((shard) => {
      const numbers = what.kind === 'tags' ? names.map((name) => shard.tag(name)) : [shard.cleared];
      return chunks(numbers).map((some) =>
        this.#client.run(invalidateTags, [shard.sequence, shard.ends, ...some], [rememberMs], this.#options),
      );
    });
    await Promise.all(parts);
  }

  close(): void {
    this.#wakes.close();
  }

  async #readShard(shard: Shard, names: readonly string[]): Promise<readonly RemoteRead[]> {
    const now = this.#settings.clock.now();
    const keys = [shard.sequence, shard.cleared, ...names.map((name) => shard.entry(name))];
    const [sequence, cleared, ...data] = await this.#fetch(shard, keys, now);
    // Without a number this moment is one: the next is taken from a later one.
    const number = numberOf(sequence) ?? Math.floor((now + shard.ahead) * 1000) - CLOCK_ERROR;
    const stamp: Stamp = { number, token: '' };
    const found = data.map((each) => open(each, this.#envelope));
    const tags = new Set(found.flatMap((envelope) => envelope?.tags ?? []));
    const numbers = tags.size === 0 ? none : await this.#tagNumbers(shard, [...tags]);
    return found.map((envelope) => ({ stamp, entry: this.#entryOf(shard, envelope, cleared, numbers) }));
  }

  /** One MGET; now and then the server's clock as well. */
  #fetch(shard: Shard, keys: readonly string[], now: number): Promise<readonly Data[]> {
    const reading = this.#client.command(['mget', ...keys], shard.base, this.#options) as Promise<
      readonly Data[]
    >;
    if (now - shard.timedAt <= CLOCK_HOLDS) return reading;
    return Promise.all([reading, this.#readClock(shard, now)]).then(([data]) => data);
  }

  /** Read later than the entries that have the tags, which is the safe order. */
  async #tagNumbers(shard: Shard, tags: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const keys = tags.map((tag) => shard.tag(nameOf(tag)));
    const values = (await this.#client.command(['mget', ...keys], shard.base, this.#options)) as Data[];
    return new Map(tags.map((tag, i) => [tag, numberOf(values[i]) ?? 0]));
  }

  /** Undefined: there is none, something has overtaken it, or its time is over. */
  #entryOf(
    shard: Shard,
    envelope: Envelope | undefined,
    cleared: Data | undefined,
    numbers: ReadonlyMap<string, number>,
  ): RemoteRead['entry'] {
    if (envelope === undefined) return undefined;
    const { number, writtenAt, ttlMs, graceMs, loadMs, tags, rest } = envelope;
    if ((numberOf(cleared) ?? 0) > number) return undefined;
    for (const tag of tags) if ((numbers.get(tag) ?? 0) > number) return undefined;
    const { clock, serializer } = this.#settings;
    const ageMs = Math.max(0, clock.now() + shard.ahead - writtenAt);
    if (ageMs >= ttlMs + graceMs) return undefined;
    return { value: serializer.decode(rest as never), ttlMs, graceMs, loadMs, tags, ageMs };
  }

  #readLocking(key: string, ms: number): Promise<LockedRead> {
    const [shard, name] = this.#placeOf(key);
    return this.#see(shard, name).then((seen) => readIfFresh(seen) ?? this.#lock(shard, name, seen, key, ms));
  }

  #see(shard: Shard, name: string): Promise<Seen> {
    const keys = [shard.entry(name), shard.cleared];
    return this.#fetch(shard, keys, this.#settings.clock.now()).then(([data, cleared]) => {
      const envelope = open(data!, this.#envelope);
      const seen = (numbers: ReadonlyMap<string, number>): Seen => ({
        data: data!,
        number: envelope?.number ?? 0,
        entry: this.#entryOf(shard, envelope, cleared, numbers),
      });
      if (envelope === undefined || envelope.tags.length === 0) return seen(none);
      return this.#tagNumbers(shard, envelope.tags).then(seen);
    });
  }

  /** Takes the lock, if the entry is still the one that was seen. */
  async #lock(shard: Shard, name: string, first: Seen, key: string, ms: number): Promise<LockedRead> {
    const token = crypto.randomUUID();
    const late = (): void => {
      this.#release(key, token).catch(() => {});
    };
    const options = { timeoutMs: this.#settings.timeoutMs, late };
    const keys = [shard.sequence, shard.entry(name), shard.lock(name)];
    let seen = first;
    for (let tries = 1; ; tries += 1) {
      const args = [versionOf(seen.data), token, Math.ceil(ms)];
      const answer = await this.#client.run(takeLock, keys, args, options);
      if (answer !== null || tries === MOST_TRIES) {
        // Where it changes all the time, what is loaded now is written only if nothing was invalidated for long.
        const [number, taken] = (answer ?? ['0', 0]) as [string, number];
        const held = taken === 1;
        const stamp: Stamp = { number: Number(number), token: held ? token : '' };
        return { stamp, entry: seen.entry, lock: held ? 'held' : 'busy' };
      }
      seen = await this.#see(shard, name);
      const read = readIfFresh(seen);
      if (read !== undefined) return read;
    }
  }

  async #release(key: string, token: string): Promise<void> {
    if (token === '') return;
    const [shard, name] = this.#placeOf(key);
    await this.#client.run(releaseLock, [shard.lock(name)], [token, shard.channel, name], this.#options);
  }

  async #readClock(shard: Shard, sentAt: number): Promise<void> {
    const now = (await this.#client.run(serverTime, [shard.sequence], [], this.#options)) as number;
    // As if the clock had been read at once: ages come out too large by a round trip, never too small.
    shard.ahead = Number(now) + 1 - sentAt;
    shard.timedAt = sentAt;
  }

  #placeOf(key: string): [Shard, string] {
    const name = nameOf(key);
    return [this.#shards[this.#shards.length === 1 ? 0 : slotOf(name) % this.#shards.length]!, name];
  }

  #byShard(keys: readonly string[]): [Shard, { readonly name: string; readonly index: number }[]][] {
    const parts = new Map<Shard, { readonly name: string; readonly index: number }[]>();
    for (const [index, key] of keys.entries()) {
      const [shard, name] = this.#placeOf(key);
      const part = parts.get(shard);
      if (part === undefined) parts.set(shard, [{ name, index }]);
      else part.push({ name, index });
    }
    return [...parts];
  }
}

/** Its stamp is as old as the entry itself: all that was invalidated before has been seen. */
function readIfFresh({ entry, number }: Seen): LockedRead | undefined {
  if (entry === undefined || entry.ageMs >= entry.ttlMs) return undefined;
  return { stamp: { number, token: '' } satisfies Stamp, entry, lock: 'free' };
}

const none: ReadonlyMap<string, number> = new Map();

const nameOf = (text: string): string => entityKey('', text).slice(1, -1);

const numberOf = (value: string | Uint8Array | null | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(String(value));

function chunks<T>(all: readonly T[]): readonly (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let i = 0; i < all.length; i += MOST_KEYS) parts.push(all.slice(i, i + MOST_KEYS));
  return parts;
}
