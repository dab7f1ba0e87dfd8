import {
  type Clock,
  type Component,
  callable,
  componentName,
  type Duration,
  duration,
  InvalidOptionError,
  integer,
  type Json,
  knownOptions,
  type Sample,
  systemClock,
} from '@weir/core';
import type { HashKey } from './hash-key.ts';
import { idOf } from './internal/id-of.ts';
import { readNode } from './internal/members.ts';
import { createRendezvous } from './rendezvous.ts';
import type { Topology, TopologyNode } from './topology.ts';

export interface ReplicaSetOptions<T extends TopologyNode> {
  /** Takes all writes, and reads that no replica may answer. */
  readonly primary: T;
  /** Copies that answer reads. A weight is its share of them. May be empty. */
  readonly replicas: readonly T[];
  /**
   * How far a replica is behind the primary, in ms, as last measured; undefined if that is not known. Called for each
   * read, so it should only look the number up. Without it replicas count as up to date.
   */
  readonly lag?: ((replica: T) => number | undefined) | undefined;
  /** A replica further behind, or whose lag is unknown, is not read from. 0 or more. @default '1s' */
  readonly maxLag?: Duration | undefined;
  /**
   * How long reads of a key go to the primary after a write of it, so that whoever wrote sees it. 0 turns it off. Should
   * be longer than `maxLag`.
   *
   * @default '5s'
   */
  readonly pinFor?: Duration | undefined;
  /** Pins kept at once; beyond it the oldest is dropped. Integer >= 1. @default 10_000 */
  readonly maxPins?: number | undefined;
  /** Name of the component. @default 'replica-set-<n>' */
  readonly name?: string | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** One shard's copies: a primary that is written to and replicas that are read from. */
export interface ReplicaSet<T> extends Component {
  readonly kind: 'replica-set';
  readonly primary: T;
  /**
   * Where to read. The replica that the key prefers, so that its cache stays warm; without a key they take turns. The
   * primary while the key is pinned, or if no replica is close enough behind.
   */
  read(key?: HashKey): T;
  /** Where to write: the primary. Pins the key, from now on; call it again when the write is done if it may be long. */
  write(key?: HashKey): T;
  /** `read` for the safe methods GET, HEAD, OPTIONS and TRACE (RFC 9110, 9.2.1), `write` for all others. */
  route(method: string, key?: HashKey): T;
  /** Whether reads of the key go to the primary for now. */
  pinned(key: HashKey): boolean;
}

/**
 * Splits reads from writes over a primary and its replicas. A pin is kept in this process: where several processes serve
 * one user, route the user to one of them, or ask `write` where the user's cookie says that they have just written.
 *
 * A read costs a rendezvous over the replicas, O(replicas).
 *
 * @throws InvalidOptionError if an option is wrong, or two nodes share an id.
 *
 * @example
 * const users = createReplicaSet({
 *   primary: 'db-1',
 *   replicas: ['db-1a', 'db-1b'],
 *   lag: (replica) => lags.get(replica),
 * });
 * users.route('GET', 'user:1'); // 'db-1a' or 'db-1b'
 */
export function createReplicaSet<T extends TopologyNode>(options: ReplicaSetOptions<T>): ReplicaSet<T> {
  const known = ['primary', 'replicas', 'lag', 'maxLag', 'pinFor', 'maxPins', 'name', 'clock'];
  knownOptions(options, known, 'createReplicaSet');
  return new Replicas(options);
}

const safeMethods: ReadonlySet<string> = /* @__PURE__ */ new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

class Replicas<T extends TopologyNode> implements ReplicaSet<T> {
  readonly kind = 'replica-set';
  readonly name: string;
  readonly primary: T;
  readonly #replicas: readonly T[];
  readonly #preference: Topology<T>;
  readonly #lag: ((replica: T) => number | undefined) | undefined;
  readonly #maxLag: number;
  readonly #pinFor: number;
  readonly #maxPins: number;
  readonly #clock: Clock;
  /** When each pin ends; the oldest first, since all last equally long. */
  readonly #pins = new Map<string, number>();
  #turn = 0;
  readonly #counts = { replica: 0, primary: 0, writes: 0, dropped: 0 };

  constructor(options: ReplicaSetOptions<T>) {
    const {
      primary,
      replicas,
      lag,
      maxLag = '1s',
      pinFor = '5s',
      maxPins = 10_000,
      clock = systemClock,
    } = options;
    // A node type that is neither widened nor narrowed here comes back as it was given.
    const preference = createRendezvous(replicas) as unknown as Topology<T>;
    const { id } = readNode(primary, 'primary');
    if (preference.members.some((member) => member.id === id)) {
      throw new InvalidOptionError('replicas', 'others than the primary', id);
    }
    this.name = componentName('replica-set', options.name);
    this.primary = primary;
    this.#replicas = [...replicas];
    this.#preference = preference;
    this.#lag = lag === undefined ? undefined : callable(lag, 'lag');
    this.#maxLag = duration(maxLag, 'maxLag', { min: 0 });
    this.#pinFor = duration(pinFor, 'pinFor', { min: 0 });
    this.#maxPins = integer(maxPins, 'maxPins', 1);
    this.#clock = clock;
  }

  read(key?: HashKey): T {
    const replica = key === undefined ? this.#nextInTurn() : this.#preferred(key);
    this.#counts[replica === undefined ? 'primary' : 'replica'] += 1;
    return replica ?? this.primary;
  }

  write(key?: HashKey): T {
    this.#counts.writes += 1;
    if (key !== undefined && this.#pinFor > 0) this.#pin(pinName(key));
    return this.primary;
  }

  route(method: string, key?: HashKey): T {
    return safeMethods.has(method) ? this.read(key) : this.write(key);
  }

  pinned(key: HashKey): boolean {
    const until = this.#pins.get(pinName(key));
    return until !== undefined && this.#clock.now() < until;
  }

  #preferred(key: HashKey): T | undefined {
    return this.pinned(key) ? undefined : this.#preference.find(key, (replica) => this.#isFresh(replica));
  }

  #nextInTurn(): T | undefined {
    const count = this.#replicas.length;
    for (let i = 0; i < count; i += 1) {
      const replica = this.#replicas[this.#turn % count]!;
      this.#turn = (this.#turn + 1) % count;
      if (this.#isFresh(replica)) return replica;
    }
    return undefined;
  }

  #isFresh(replica: T): boolean {
    if (this.#lag === undefined) return true;
    const lag = this.#lag(replica);
    return lag !== undefined && lag <= this.#maxLag;
  }

  #pin(name: string): void {
    const now = this.#clock.now();
    this.#pins.delete(name);
    for (const [oldest, until] of this.#pins) {
      if (until > now && this.#pins.size < this.#maxPins) break;
      if (until > now) this.#counts.dropped += 1;
      this.#pins.delete(oldest);
    }
    this.#pins.set(name, now + this.#pinFor);
  }

  snapshot(): { readonly [name: string]: Json } {
    const replicas = this.#replicas.map((replica) => ({
      id: idOf(replica),
      lagMs: this.#lag?.(replica) ?? null,
      fresh: this.#isFresh(replica),
    }));
    return { primary: idOf(this.primary), replicas, pins: this.#pins.size };
  }

  metrics(): readonly Sample[] {
    const { replica, primary, writes, dropped } = this.#counts;
    const counter = (
      what: string,
      help: string,
      value: number,
      more: { readonly to?: string } = {},
    ): Sample => ({
      name: `weir_consistent_hash_${what}_total`,
      help,
      type: 'counter',
      labels: { replica_set: this.name, ...more },
      value,
    });
    return [
      counter('reads', 'Reads, by where they were sent.', replica, { to: 'replica' }),
      counter('reads', 'Reads, by where they were sent.', primary, { to: 'primary' }),
      counter('writes', 'Writes, all of them to the primary.', writes),
      counter('pins_dropped', 'Pins given up before their time, for want of room.', dropped),
    ];
  }
}

function pinName(key: HashKey): string {
  return key instanceof Uint8Array ? `bytes:${key}` : String(key);
}
