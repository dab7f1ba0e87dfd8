import { type Component, integer, type Json, knownOptions, oneOf, type Sample } from '@weir/core';
import { type Breaker, PermitBreaker } from './breaker.ts';
import type { BreakerOptions } from './breaker-options.ts';
import { breakerSamples, type CallCounts, noCalls } from './internal/samples.ts';
import { breakerOptionNames, readName, readSettings, type Settings } from './internal/settings.ts';

export interface BreakersOptions extends BreakerOptions {
  /** Breakers kept at once, 1 to 10,000,000. */
  readonly max: number;
  /**
   * Names keys in snapshots and with changes of state: for keys that are no secrets, such as upstreams.
   *
   * @default false: keys are never told
   */
  readonly showKeys?: boolean;
}

/** A breaker for each key: an upstream, a tenant, a route. Its metrics are sums; keys never appear in metrics. */
export interface Breakers extends Component {
  readonly kind: 'breakers';
  /** Breakers kept now, never more than `max`. */
  readonly size: number;
  /**
   * The breaker of that key, made if there is none. When full, a closed breaker that was not asked for lately makes
   * room, one without failures or calls under way first; one that is open, half-open or forced never does. If a
   * search among 256 finds none, the new breaker is not kept: that call goes unprotected, and is counted. O(1).
   */
  get(key: string): Breaker;
}

/** How many breakers that are not closed a snapshot names. */
const SHOWN = 20;

/** How many breakers are looked at to find one that may go. */
const LOOKED_AT = 256;

interface Entry {
  readonly breaker: PermitBreaker;
  used: boolean;
}

/**
 * Makes a bounded set of breakers that share their options.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const breakers = createBreakers({ max: 1000, failureRate: 0.5 });
 * await breakers.get('prices.example').execute(() => fetch('https://prices.example/all'));
 */
export function createBreakers(options: BreakersOptions): Breakers {
  knownOptions(options, ['max', 'showKeys', ...breakerOptionNames], 'createBreakers');
  const { max, showKeys = false, ...shared } = options;
  oneOf(showKeys, 'showKeys', [true, false]);
  const settings = readSettings(shared, 'createBreakers');
  const bound = integer(max, 'max', 1, 10_000_000);
  return new BoundedBreakers(readName('breakers', options), bound, showKeys, settings);
}

class BoundedBreakers implements Breakers {
  readonly kind = 'breakers';
  readonly name: string;
  readonly #max: number;
  readonly #showKeys: boolean;
  readonly #settings: Settings;
  readonly #counts: CallCounts = noCalls();
  /** In the order in which they are next looked at when room is needed. */
  readonly #entries = new Map<string, Entry>();
  #evicted = 0;
  #unkept = 0;

  constructor(name: string, max: number, showKeys: boolean, settings: Settings) {
    this.name = name;
    this.#max = max;
    this.#showKeys = showKeys;
    this.#settings = settings;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Breaker {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      entry.used = true;
      return entry.breaker;
    }
    const shown = this.#showKeys ? key : undefined;
    const breaker = new PermitBreaker(this.name, this.#settings, this.#counts, shown);
    if (this.#entries.size < this.#max || this.#makeRoom()) this.#entries.set(key, { breaker, used: false });
    else this.#unkept += 1;
    return breaker;
  }

  /** The clock algorithm: whoever was used since it was last looked at goes to the back of the queue. */
  #makeRoom(): boolean {
    const entries = this.#entries;
    let reluctantly: string | undefined;
    let looked = 0;
    for (const [key, entry] of entries) {
      const holds = entry.breaker.holds;
      if (holds === 'nothing' && !entry.used) return this.#evict(key);
      if (holds !== 'state') reluctantly ??= key;
      entry.used = false;
      entries.delete(key);
      entries.set(key, entry);
      looked += 1;
      if (looked === LOOKED_AT) break;
    }
    return reluctantly !== undefined && this.#evict(reluctantly);
  }

  #evict(key: string): true {
    this.#entries.delete(key);
    this.#evicted += 1;
    return true;
  }

  #states(): { closed: number; open: number; 'half-open': number } {
    const states = { closed: 0, open: 0, 'half-open': 0 };
    for (const { breaker } of this.#entries.values()) states[breaker.state] += 1;
    return states;
  }

  snapshot(): { readonly [name: string]: Json } {
    return {
      size: this.size,
      max: this.#max,
      ...this.#states(),
      evicted: this.#evicted,
      unkept: this.#unkept,
      ...(this.#showKeys ? { notClosed: this.#notClosed() } : {}),
    };
  }

  /** Which those are that refuse or probe; some of them, if they are many. */
  #notClosed(): readonly Json[] {
    const found: Json[] = [];
    for (const [key, { breaker }] of this.#entries) {
      const { state, forced, retryAfterMs } = breaker;
      if (state === 'closed' && !forced) continue;
      found.push({ id: key, state, forced, retryAfterMs: Math.ceil(retryAfterMs) });
      if (found.length === SHOWN) break;
    }
    return found;
  }

  metrics(): readonly Sample[] {
    const prefix = 'weir_circuit_breaker_keys';
    const breaker = this.name;
    return [
      ...breakerSamples(breaker, undefined, this.#counts),
      ...Object.entries(this.#states()).map(
        ([state, value]): Sample => ({
          name: prefix,
          help: 'Breakers kept, by state.',
          type: 'gauge',
          labels: { breaker, state },
          value,
        }),
      ),
      {
        name: `${prefix}_evicted_total`,
        help: 'Idle breakers that made room.',
        type: 'counter',
        labels: { breaker },
        value: this.#evicted,
      },
      {
        name: `${prefix}_unkept_total`,
        help: 'Breakers not kept because none could make room.',
        type: 'counter',
        labels: { breaker },
        value: this.#unkept,
      },
    ];
  }
}
