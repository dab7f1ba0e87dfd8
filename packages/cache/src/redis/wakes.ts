import type { RedisClient, Subscription } from '@weir/redis';
import type { Shard } from './shard.ts';

/** How often a lock is looked at in case that its end was not heard, ms: it may run out, and messages may be lost. */
const LOOK_EVERY = 100;

interface Channel {
  readonly subscription: Subscription;
  /** Who waits, by the name of the key. */
  readonly waiting: Map<string, Set<() => void>>;
}

/** Waits for locks of other processes. */
export class Wakes {
  readonly #client: RedisClient;
  readonly #timeoutMs: number;
  readonly #channels = new Map<string, Channel>();

  constructor(client: RedisClient, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when the lock may be free. Listens first, then looks. */
  changed(shard: Shard, name: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const { waiting } = this.#channel(shard.channel);
      const waiters = waiting.get(name) ?? new Set();
      waiting.set(name, waiters);
      const end = (): void => {
        clearInterval(looking);
        signal.removeEventListener('abort', abort);
        waiters.delete(go);
        if (waiters.size === 0 && waiting.get(name) === waiters) waiting.delete(name);
      };
      const go = (): void => {
        end();
        resolve();
      };
      const abort = (): void => {
        end();
        reject(signal.reason);
      };
      const look = (): void => {
        const lock = shard.lock(name);
        this.#client.command(['exists', lock], lock, { timeoutMs: this.#timeoutMs }).then(
          (exists) => {
            if (Number(exists) === 0) go();
          },
          () => {},
        );
      };
      const looking = setInterval(look, LOOK_EVERY);
      (looking as { unref?(): void }).unref?.();
      waiters.add(go);
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
      else look();
    });
  }

  close(): void {
    for (const { subscription } of this.#channels.values()) subscription.close();
    this.#channels.clear();
  }

  #channel(name: string): Channel {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const waiting = new Map<string, Set<() => void>>();
    const subscription = this.#client.subscribe(name, {
      message: (text) => {
        for (const go of [...(waiting.get(text) ?? [])]) go();
      },
      down() {},
      // What was missed is found by looking.
      up() {},
    });
    const channel = { subscription, waiting };
    this.#channels.set(name, channel);
    return channel;
  }
}
