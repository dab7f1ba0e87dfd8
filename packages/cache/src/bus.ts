import type { Awaitable } from '@weir/core';
import type { Invalidation, ResponsePurge } from './invalidation.ts';

/** Carries invalidations between the caches of several processes. One may serve any number of caches. */
export interface Bus {
  /**
   * Brings a cache together with all those of its name. Called once by each cache, when it is made. It must not wait: a
   * bus that is not connected yet calls `listener.down()` now and `listener.up()` later.
   *
   * @param cache the name that the cache was given; '' if it was given none. A response cache's begins with `http:`.
   */
  join(cache: string, listener: BusListener): BusMember;
}

/** A cache's place on the bus. */
export interface BusMember {
  /**
   * Resolves when the message has left. Messages of one member arrive in the order in which they were published. The
   * cache stops waiting when `signal` aborts, at `remoteTimeout`.
   */
  publish(message: BusMessage, signal: AbortSignal): Promise<void>;
  /** No listener is called after this. */
  leave(): Awaitable<void>;
}

/** What the bus tells a cache. None of these throws. */
export interface BusListener {
  /** A message has come. The bus need not filter out the cache's own ones, nor duplicates. */
  message(message: BusMessage): void;
  /** From now on messages may be lost. Until `up`, memory is dropped every `suspectTtl`. */
  down(): void;
  /** Messages arrive from now on; some may have been lost, so memory is dropped. Also after a gap that nobody announced. */
  up(): void;
}

/** One invalidation on its way to the other processes. JSON-safe. */
export interface BusMessage {
  /** The cache that sent it: random, new for each construction. */
  readonly origin: string;
  /** Counts this origin's messages, from 1. A number left out makes the receivers drop all they hold. */
  readonly seq: number;
  readonly what: Invalidation | ResponsePurge;
}
