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

/** A read, and which version of the entry it saw; '' for none. */
interface Seen {
  readonly read: RemoteRead;
  readonly seen: string;
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
    if (keys.length === 1) return [await this.#readOne(keys[0]!)];
    const reads: RemoteRead[] = new Array(keys.length);
    const parts = this.#byShard(keys).flatMap(([shard, places]) =>
      chunks(places).map(async (some) => {
        const found = await this.#readShard(
          shard,
          some.map(({ name }) => name),
        );
        for (const [i, { index }] of some.entries()) reads[index] = found[i]!.read;
      }),
    );
    await Promise.all(parts);
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

  async #readOne(key: string): Promise<RemoteRead> {
    const [shard, name] = this.#placeOf(key);
    return (await this.#readSeen(shard, name)).read;
  }

  async #readSeen(shard: Shard, name: string): Promise<Seen> {
    const [seen] = await this.#readShard(shard, [name]);
    return seen!;
  }

  /** One MGET; one more where entries have tags, for their numbers: later than the entries, which is the safe order. */
  async #readShard(shard: Shard, names: readonly string[]): Promise<readonly Seen[]> {
    const { serializer, clock } = this.#settings;
    const keys = [shard.sequence, shard.cleared, ...names.map((name) => shard.entry(name))];
    const reading = this.#client.command(['mget', ...keys], shard.base, this.#options);
    const now = clock.now();
    if (now - shard.timedAt > CLOCK_HOLDS) {
      await Promise.all([reading, this.#readClock(shard, now)]);
    }
    const [sequence, cleared, ...data] = (await reading) as (string | Uint8Array | null)[];
    // Without a number this moment is one: the next is taken from a later one.
    const number = numberOf(sequence) ?? Math.floor((now + shard.ahead) * 1000) - CLOCK_ERROR;
    const found = data.map((each) => open(each, serializer));
    const numbers = await this.#tagNumbers(shard, found);
    return found.map((envelope, i): Seen => {
      const stamp: Stamp = { number, token: '' };
      const seen = versionOf(data[i]!);
      if (envelope === undefined) return { seen, read: { stamp } };
      const overtaken = envelope.tags.map((tag) => numbers.get(tag) ?? 0);
      const { ttlMs, graceMs, loadMs, tags } = envelope;
      const ageMs = Math.max(0, clock.now() + shard.ahead - envelope.writtenAt);
      const dead = Math.max(numberOf(cleared) ?? 0, ...overtaken) > envelope.number;
      if (dead || ageMs >= ttlMs + graceMs) return { seen, read: { stamp } };
      const entry = { value: envelope.value(), ttlMs, graceMs, loadMs, tags, ageMs };
      return { seen, read: { stamp, entry } };
    });
  }

  async #tagNumbers(shard: Shard, found: readonly (Envelope | undefined)[]): Promise<Map<string, number>> {
    const tags = [...new Set(found.flatMap((envelope) => envelope?.tags ?? []))];
    const numbers = new Map<string, number>();
    if (tags.length === 0) return numbers;
    const keys = tags.map((tag) => shard.tag(nameOf(tag)));
    const values = (await this.#client.command(['mget', ...keys], shard.base, this.#options)) as (
      | string
      | null
    )[];
    for (const [i, tag] of tags.entries()) numbers.set(tag, numberOf(values[i]) ?? 0);
    return numbers;
  }

  async #readLocking(key: string, ms: number): Promise<LockedRead> {
    const [shard, name] = this.#placeOf(key);
    const token = crypto.randomUUID();
    for (let tries = 1; ; tries += 1) {
      const { read, seen } = await this.#readSeen(shard, name);
      if (read.entry !== undefined && read.entry.ageMs < read.entry.ttlMs) return { ...read, lock: 'free' };
      const keys = [shard.sequence, shard.entry(name), shard.lock(name)];
      const late = (): void => {
        this.#release(key, token).catch(() => {});
      };
      const options = { timeoutMs: this.#settings.timeoutMs, late };
      const answer = await this.#client.run(takeLock, keys, [seen, token, Math.ceil(ms)], options);
      if (answer === null) {
        if (tries < MOST_TRIES) continue;
        return { ...read, lock: 'busy' };
      }
      const [number, taken] = answer as [string, number];
      const held = taken === 1;
      return {
        ...read,
        stamp: { number: Number(number), token: held ? token : '' },
        lock: held ? 'held' : 'busy',
      };
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

const nameOf = (text: string): string => entityKey('', text).slice(1, -1);

const numberOf = (value: string | Uint8Array | null | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(String(value));

function chunks<T>(all: readonly T[]): readonly (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let i = 0; i < all.length; i += MOST_KEYS) parts.push(all.slice(i, i + MOST_KEYS));
  return parts;
}
