import { entityKey } from '@weir/redis';
import type { LimitSet } from './limit-set.ts';

/** Keys whose names are remembered. When there are more it begins anew. */
const MOST_KEYS = 10_000;

type Names = readonly string[];

/** The names in Redis of the keys asked for lately: hashing a key anew costs more than all else here. */
export class KeyNames {
  readonly #prefix: string;
  readonly #sets = new Map<LimitSet, Map<string, Map<string, Names>>>();
  #size = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Of the counts, then of each sliding log. */
  of(limiter: string, key: string, set: LimitSet): Names {
    return this.#sets.get(set)?.get(limiter)?.get(key) ?? this.#add(limiter, key, set);
  }

  #add(limiter: string, key: string, set: LimitSet): Names {
    if (this.#size >= MOST_KEYS) {
      this.#sets.clear();
      this.#size = 0;
    }
    const base = `${entityKey(this.#prefix, limiter, key)}${set.tag}`;
    const names = [base, ...set.logs.map((i) => `${base}:${i}`)];
    let limiters = this.#sets.get(set);
    if (limiters === undefined) this.#sets.set(set, (limiters = new Map()));
    let keys = limiters.get(limiter);
    if (keys === undefined) limiters.set(limiter, (keys = new Map()));
    keys.set(key, names);
    this.#size += 1;
    return names;
  }
}
