import type { Clock, Json } from '@weir/core';

/** Something that happened, as the page shows it. */
export interface LoggedEvent {
  /** Wall clock, ms since 1970. */
  readonly at: number;
  /** The channel without its `weir:`, such as 'circuit-breaker:state'. */
  readonly what: string;
  /** Numbers, strings and booleans of the message; errors by their message. */
  readonly details: { readonly [name: string]: Json };
  /** How often in a row, the last time at `at`. */
  readonly times: number;
}

interface DiagnosticsChannel {
  subscribe(name: string, listener: (message: unknown) => void): void;
  unsubscribe(name: string, listener: (message: unknown) => void): void;
}
interface Runtime {
  readonly process?: { getBuiltinModule?(id: string): DiagnosticsChannel | undefined };
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

/** The last events of this process, whether or not anybody looks: a bounded list, filled by diagnostics channels. */
export class EventLog {
  readonly #events: LoggedEvent[] = [];
  readonly #clock: Clock;
  readonly #unsubscribe: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    const diagnostics = (globalThis as Runtime).process?.getBuiltinModule?.('node:diagnostics_channel');
    if (diagnostics === undefined) return;
    for (const what of channels) {
      const listener = (message: unknown): void => this.add(what, message);
      diagnostics.subscribe(`weir:${what}`, listener);
      this.#unsubscribe.push(() => diagnostics.unsubscribe(`weir:${what}`, listener));
    }
  }

  /** The newest last. */
  get events(): readonly LoggedEvent[] {
    return this.#events;
  }

  add(what: string, message: unknown): void {
    const details = detailsOf(message);
    const at = this.#clock.epoch();
    const last = this.#events.at(-1);
    // An outage says the same a thousand times a second; once with a count is what a person reads.
    if (last !== undefined && last.what === what && same(last.details, details)) {
      this.#events[this.#events.length - 1] = { ...last, at, times: last.times + 1 };
      return;
    }
    this.#events.push({ at, what, details, times: 1 });
    if (this.#events.length > capacity) this.#events.shift();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
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
