import {
  type Awaitable,
  type Component,
  componentName,
  integer,
  type Json,
  knownOptions,
  type Sample,
} from '@weir/core';
import { type Diff, diff, type Move } from './diff.ts';
import type { HashKey } from './hash-key.ts';
import type { Placement, Position, Ranged } from './topology.ts';

export interface MigrationOptions {
  /** Name of the component. @default 'migration-<n>' */
  readonly name?: string | undefined;
}

export interface MigrationProgress {
  /** Ranges that are done. */
  readonly done: number;
  /** Ranges in all. */
  readonly moves: number;
  /** Part of what moves that is done, 0 to 1; 1 if nothing moves. */
  readonly share: number;
}

/** The time between two placements, while data is copied from its old owners to its new ones. */
export interface Migration<T> extends Component {
  readonly kind: 'migration';
  /** The ranges to copy, ascending. */
  readonly moves: readonly Move[];
  /** Where to read a key: its new owner first, then its old one; one of them if they are the same or the range is done. */
  readers(key: HashKey): readonly T[];
  /** Where to write a key: its old owner, then its new one; one of them if they are the same or the range is done. */
  writers(key: HashKey): readonly T[];
  /**
   * What `load` finds at the first reader that has it; undefined is taken as a miss. Its errors come through.
   *
   * @throws the signal's reason if it aborts between two of them.
   */
  read<V>(
    key: HashKey,
    load: (node: T) => Awaitable<V | undefined>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<V | undefined>;
  /**
   * Calls `save` with each writer, one after the other, the old owner first: until the range is done it is the one that
   * counts, so nothing is written to the new one if the old one fails.
   *
   * @throws what `save` throws, or the signal's reason if it aborts between two of them.
   */
  write(
    key: HashKey,
    save: (node: T) => Awaitable<unknown>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<void>;
  /**
   * Marks a range as copied: from now on its keys are only at their new owner.
   *
   * @param move its place in `moves`
   * @throws InvalidOptionError if there is no such range.
   */
  complete(move: number): void;
  progress(): MigrationProgress;
}

/**
 * Carries data from one placement to another without a stop: read new then old, write both, copy range by range.
 * Create it in all processes, copy each of `moves` and mark it in all of them, then let the new placement take over.
 *
 * What is copied must not overwrite what was written meanwhile: copy only what the new owner lacks. Likewise a delete
 * must leave a mark at the new owner, or the old one's value shows through.
 *
 * @throws WeirError `ERR_WEIR_INCOMPARABLE_PLACEMENTS` if the two have no ranges, or not of the same space.
 *
 * @example
 * const migration = createMigration(ring, ring.with('cache-d'));
 * await migration.read('user:1', (node) => clients[node].get('user:1'));
 */
export function createMigration<T>(
  from: Placement<T> & Ranged,
  to: Placement<T> & Ranged,
  options: MigrationOptions = {},
): Migration<T> {
  knownOptions(options, ['name'], 'createMigration');
  return new Transition(from, to, diff(from, to), componentName('migration', options.name));
}

class Transition<T> implements Migration<T> {
  readonly kind = 'migration';
  readonly name: string;
  readonly moves: readonly Move[];
  readonly #from: Placement<T> & Ranged;
  readonly #to: Placement<T> & Ranged;
  readonly #share: number;
  readonly #done: Uint8Array;

  constructor(from: Placement<T> & Ranged, to: Placement<T> & Ranged, { share, moves }: Diff, name: string) {
    this.name = name;
    this.#from = from;
    this.#to = to;
    this.#share = share;
    this.moves = moves;
    this.#done = new Uint8Array(moves.length);
  }

  readers(key: HashKey): readonly T[] {
    return this.#owners(key).reverse();
  }

  writers(key: HashKey): readonly T[] {
    return this.#owners(key);
  }

  async read<V>(
    key: HashKey,
    load: (node: T) => Awaitable<V | undefined>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<V | undefined> {
    for (const node of this.readers(key)) {
      options.signal?.throwIfAborted();
      const value = await load(node);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  async write(
    key: HashKey,
    save: (node: T) => Awaitable<unknown>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    for (const node of this.writers(key)) {
      options.signal?.throwIfAborted();
      await save(node);
    }
  }

  complete(move: number): void {
    this.#done[integer(move, 'move', 0, this.moves.length - 1)] = 1;
  }

  progress(): MigrationProgress {
    let done = 0;
    let share = 0;
    for (const [i, move] of this.moves.entries()) {
      if (this.#done[i] === 0) continue;
      done += 1;
      share += move.share;
    }
    const whole = done === this.moves.length;
    return { done, moves: this.moves.length, share: whole ? 1 : share / this.#share };
  }

  snapshot(): { readonly [name: string]: Json } {
    return { from: this.#from.version, to: this.#to.version, ...this.progress() };
  }

  metrics(): readonly Sample[] {
    const { share } = this.progress();
    const help = 'Part of the moving ranges that is done.';
    const labels = { migration: this.name };
    return [{ name: 'weir_consistent_hash_migration_done_ratio', help, type: 'gauge', labels, value: share }];
  }

  /** The key's owners, the old one first. */
  #owners(key: HashKey): T[] {
    const position = this.#from.position(key)!;
    const at = this.#moveOf(position);
    const owners =
      at === -1 || this.#done[at] === 1 ? [this.#to.get(key)] : [this.#from.get(key), this.#to.get(key)];
    return owners.filter((owner) => owner !== undefined);
  }

  /** The move that a position is part of; -1 if it stays where it is. */
  #moveOf(position: Position): number {
    let from = 0;
    let to = this.moves.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.moves[middle]!.end <= position) from = middle + 1;
      else to = middle;
    }
    const move = this.moves[from];
    return move !== undefined && move.start <= position ? from : -1;
  }
}
