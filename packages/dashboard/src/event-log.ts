import type { Clock, Json } from '@weir/core';
import { subscribe } from './channels.ts';

/** Something that happened, as the page shows it. */
export interface LoggedEvent {
  /** Wall clock, ms since 1970. */
  readonly at: number;
  /** When it was the first of `times`. */
  readonly since: number;
  /** The channel without its `weir:`, such as 'circuit-breaker:state'. */
  readonly what: string;
  /** Numbers, strings and booleans of the message; errors by their message. */
  readonly details: { readonly [name: string]: Json };
  /** How often, the last time at `at`, with no more than a minute between. */
  readonly times: number;
}

/** Only what is rare: a subscriber to an event of every request would cost each of them. */
const channels = [
  'circuit-breaker:state',
  'load-balancer:added',
  'load-balancer:removed',
  'load-balancer:ejected',
  'load-balancer:returned',
  'load-balancer:down',
  'load-balancer:up',
  'load-balancer:draining',
  'load-balancer:drained',
  'load-balancer:resumed',
  'load-balancer:panic',
  'load-balancer:discovery-failed',
  'cache:error',
  'rate-limit:store-error',
  'redis:failure',
  'gateway:reloaded',
  'gateway:reload-failed',
];

const capacity = 100;
/** What comes again within so long is the same matter, ms. */
const oneSpell = 60_000;

/** The last events of this process, whether or not anybody looks: a bounded list, filled by diagnostics channels. */
export class EventLog {
  readonly #events: LoggedEvent[] = [];
  readonly #clock: Clock;
  readonly #unsubscribe: readonly (() => void)[];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#unsubscribe = channels.map((what) => subscribe(what, (message) => this.add(what, message)));
  }

  /** The newest last. */
  get events(): readonly LoggedEvent[] {
    return this.#events;
  }

  add(what: string, message: unknown): void {
    const details = detailsOf(message);
    const at = this.#clock.epoch();
    // An outage says the same few things a thousand times a second; once with a count is what a person reads.
    const known = this.#events.findLastIndex((each) => each.what === what && same(each.details, details));
    const before = this.#events[known];
    if (before !== undefined && at - before.at <= oneSpell) {
      this.#events.splice(known, 1);
      this.#events.push({ ...before, at, times: before.times + 1 });
      return;
    }
    this.#events.push({ at, since: at, what, details, times: 1 });
    if (this.#events.length > capacity) this.#events.shift();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }
}

function detailsOf(message: unknown): { readonly [name: string]: Json } {
  const details: { [name: string]: Json } = {};
  if (typeof message !== 'object' || message === null) return details;
  for (const [name, value] of Object.entries(message)) {
    if (value instanceof Error) details[name] = value.message.slice(0, 200);
    else if (typeof value === 'string') details[name] = value.slice(0, 200);
    else if (typeof value === 'number' || typeof value === 'boolean') details[name] = value;
  }
  return details;
}

function same(a: { readonly [name: string]: Json }, b: { readonly [name: string]: Json }): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
