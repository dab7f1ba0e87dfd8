import { LRUCache } from 'lru-cache';
import type { Bus, BusMember, BusMessage } from '../bus.ts';
import type { Invalidation, ResponsePurge } from '../invalidation.ts';
import { unref, within } from './deadline.ts';
import type { Settings } from './settings.ts';

/** Origins whose count is remembered. One that is forgotten is treated as unknown. */
const MOST_ORIGINS = 1024;

/** The other processes' caches, seen through the bus. `What`: the vocabulary of caches of this kind. */
export class Peers<What extends Invalidation | ResponsePurge = Invalidation> {
  readonly #member: BusMember;
  readonly #settings: Pick<Settings, 'remoteTimeout' | 'suspectTtl'>;
  readonly #apply: (what: What | { readonly kind: 'clear' }) => void;
  readonly #origin = crypto.randomUUID();
  readonly #seen = new LRUCache<string, number>({ max: MOST_ORIGINS });
  #sent = 0;
  /** Runs while the bus is down. */
  #dropping: ReturnType<typeof setInterval> | undefined;
  #left = false;
  received = 0;
  gaps = 0;

  constructor(
    bus: Bus,
    cache: string,
    settings: Pick<Settings, 'remoteTimeout' | 'suspectTtl'>,
    apply: (what: What | { readonly kind: 'clear' }) => void,
  ) {
    this.#settings = settings;
    this.#apply = apply;
    this.#member = bus.join(cache, {
      message: (message) => this.#receive(message),
      down: () => this.#down(),
      up: () => this.#up(),
    });
  }

  get up(): boolean {
    return this.#dropping === undefined;
  }

  publish(what: What): Promise<void> {
    this.#sent += 1;
    const message = { origin: this.#origin, seq: this.#sent, what };
    return within(this.#settings.remoteTimeout, (signal) => this.#member.publish(message, signal));
  }

  async close(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    clearInterval(this.#dropping);
    await this.#member.leave();
  }

  #receive({ origin, seq, what }: BusMessage): void {
    if (origin === this.#origin) return;
    this.received += 1;
    const last = this.#seen.get(origin) ?? 0;
    if (seq > last) this.#seen.set(origin, seq);
    // What an origin never heard of has sent before may have been missed; late and double messages do no harm.
    if (seq > last + 1) this.#drop();
    else this.#apply(what as What);
  }

  #down(): void {
    if (this.#dropping !== undefined || this.#left) return;
    this.#dropping = setInterval(() => this.#drop(), this.#settings.suspectTtl);
    unref(this.#dropping);
  }

  #up(): void {
    clearInterval(this.#dropping);
    this.#dropping = undefined;
    this.#drop();
  }

  #drop(): void {
    this.gaps += 1;
    this.#apply({ kind: 'clear' });
  }
}
