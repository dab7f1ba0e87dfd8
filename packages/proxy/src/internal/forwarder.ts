import { type Channel, type Clock, channel, type Exchange, type Reply } from '@weir/core';
import type { Pool, Upstream } from '@weir/load-balancer';
import { Connections } from './connections.ts';
import { type FailureType, failureReplies, failureReply } from './failure.ts';
import type { Settings } from './settings.ts';
import { Tally } from './tally.ts';

/** How long `close` lets requests finish. */
export const closeWithinMs = 30_000;

const failed: Channel = channel('weir:proxy:failed');
const faults: Channel = channel('weir:proxy:fault');

/** What all requests of one proxy share. */
export class Forwarder {
  readonly name: string;
  readonly pool: Pool;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly connections: Connections;
  readonly tally: Tally = new Tally();
  closed = false;
  readonly #replies: (type: FailureType) => Reply;

  constructor(name: string, pool: Pool, settings: Settings) {
    this.name = name;
    this.pool = pool;
    this.settings = settings;
    this.clock = settings.clock;
    this.connections = new Connections(pool, settings);
    this.#replies = failureReplies(settings.via);
  }

  /** Notes why a try failed, for whoever listens. */
  note(type: FailureType, upstream: Upstream, error: unknown, x: Exchange): void {
    this.tally.fail(type);
    if (failed.hasSubscribers) failed.publish({ proxy: this.name, upstream: upstream.url, type, error, x });
  }

  /** Whether the budget has a repetition left, which is then spent. */
  affordsRepeat(): boolean {
    const affordable = this.settings.budget?.tryRetry() === true;
    if (!affordable) this.tally.overBudget += 1;
    return affordable;
  }

  /** A hook threw where no host reports it. */
  fault(error: unknown): void {
    if (faults.hasSubscribers) faults.publish({ proxy: this.name, error });
    console.error(`weir: ${this.name} failed:`, error);
  }

  reply(type: FailureType): Reply {
    return this.#replies(type);
  }

  /** There is no upstream, or none that its breaker admits: when one may be, in whole seconds. */
  unavailable(): Reply {
    const { breakers, via } = this.settings;
    if (breakers === undefined) return this.reply('destination_unavailable');
    let soonest = Number.POSITIVE_INFINITY;
    for (const { url } of this.pool.upstreams) soonest = Math.min(soonest, breakers.get(url).retryAfterMs);
    const seconds = Number.isFinite(soonest) ? Math.max(1, Math.ceil(soonest / 1000)) : 1;
    return failureReply('destination_unavailable', via, seconds);
  }

  async close(withinMs: number): Promise<void> {
    this.closed = true;
    await this.connections.close(withinMs);
  }
}
