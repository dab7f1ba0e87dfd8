import { type Channel, channel } from '@weir/core';
import type { Bus } from '../bus.ts';
import { RemoteError } from '../errors.ts';
import { Peers } from '../internal/peers.ts';
import type { ResponsePurge } from '../invalidation.ts';
import type { Settings } from './options.ts';
import type { Purge } from './purges.ts';

const faults: Channel = channel('weir:cache:error');
const known: ReadonlySet<string> = new Set(['key', 'prefix', 'tag', 'all'] satisfies Purge['by'][]);

/** What is done about what comes over the bus. */
interface Told {
  /** Another process has purged this; or something may have been missed, and that means all. */
  purged(what: Purge): void;
  /** The others could not be told. */
  failed(): void;
}

/** The response caches of the same name in other processes. */
export class Sharing {
  readonly #name: string;
  readonly #peers: Peers<ResponsePurge>;
  readonly #failed: () => void;

  constructor(bus: Bus, name: string, settings: Settings, { purged, failed }: Told) {
    this.#name = name;
    this.#failed = failed;
    this.#peers = new Peers<ResponsePurge>(bus, `http:${name}`, settings, (what) =>
      // What a newer version may say is not understood here, and could mean anything.
      purged(what.kind === 'purge' && known.has(what.by) ? what : { by: 'all', soft: false }),
    );
  }

  get up(): boolean {
    return this.#peers.up;
  }

  /** Purges heard from others. */
  get received(): number {
    return this.#peers.received;
  }

  /** Times that some may have been missed, and all was dropped. */
  get gaps(): number {
    return this.#peers.gaps;
  }

  /** @throws RemoteError if the others could not be told. */
  async tell(what: Purge): Promise<void> {
    try {
      await this.#peers.publish({ kind: 'purge', ...what });
    } catch (cause) {
      this.#failed();
      const error = new RemoteError(this.#name, 'telling other processes of a purge', cause);
      if (faults.hasSubscribers) faults.publish({ cache: this.#name, error });
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#peers.close();
  }
}
