import { type Channel, channel } from '@weir/core';
import type { PoolEvent, PoolEventType, PoolListener } from '../pool-events.ts';
import type { Member } from './member.ts';

const channels = new Map<string, Channel>();

/** Made when first needed: a bundle in which no pool is made makes none. */
function channelOf(type: PoolEventType | 'panic'): Channel {
  let found = channels.get(type);
  if (found === undefined) {
    found = channel(`weir:load-balancer:${type}`);
    channels.set(type, found);
  }
  return found;
}

/** Tells listeners and diagnostics channels what happens in a pool. */
export class Announcer {
  readonly #pool: string;
  readonly #listeners = new Set<PoolListener>();

  constructor(pool: string) {
    this.#pool = pool;
  }

  subscribe(listener: PoolListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(type: PoolEventType, upstream: Member): void {
    const published = channelOf(type);
    if (published.hasSubscribers) published.publish({ pool: this.#pool, upstream: upstream.url });
    const event: PoolEvent = { type, upstream };
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // A listener's fault is its own: it must neither break a request nor go unseen.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  panic(panic: boolean): void {
    const published = channelOf('panic');
    if (published.hasSubscribers) published.publish({ pool: this.#pool, panic });
  }
}
