import type { RemoteStamp } from '../remote.ts';
import type { Entry } from './memory.ts';

/** Nobody waits for its rejection; whoever does has a promise of his own. */
export const quiet = (promise: Promise<unknown>): void => void promise.catch(() => {});

/** What the caller that begins a load says about it, read once, in ms. */
export interface Plan {
  readonly tags: readonly string[];
  readonly ttlMs: number | undefined;
  readonly graceMs: number;
  readonly hardTimeoutMs: number;
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined;
}

/** One call of a loader, for one key or for a batch of them. */
export class Flight {
  readonly plan: Plan;
  /** The user's loader. One value for each load comes back, in order. */
  readonly call: (flight: Flight) => unknown;
  readonly batch: boolean;
  loads: Load[] = [];
  startedAt = 0;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** What it ends with no longer matters. */
  over = false;
  #controller: AbortController | undefined;

  constructor(plan: Plan, call: (flight: Flight) => unknown, batch: boolean) {
    this.plan = plan;
    this.call = call;
    this.batch = batch;
  }

  /** Nobody waits for any of its loads. */
  get deserted(): boolean {
    return this.loads.every((load) => load.done);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.timer);
    this.over = true;
  }

  /** Tells the loader that nobody waits any more. */
  abort(reason: unknown): void {
    this.end();
    // Made now if need be: the loader may look at its signal late.
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}

/** One key that is being loaded. */
export class Load {
  readonly key: string;
  readonly userKey: string;
  /** Undefined: a read of the remote tier for `get`, with no loader behind it. */
  readonly flight: Flight | undefined;
  /** The value that is being renewed. */
  readonly stale: Entry | undefined;
  /** How many tag invalidations there had been before this load read anything. */
  readonly since: number;
  readonly startedAt: number;
  readonly promise: Promise<unknown>;
  resolve!: (value: unknown) => void;
  reject!: (error: unknown) => void;
  tags: readonly string[];
  /** From `setTtl`. */
  ttlMs: number | undefined;
  /** An early renewal wants a value that is fresh beyond this. */
  early: number | undefined;
  /** When the remote tier was last asked, what it gave for the write that follows, and whether its lock is ours. */
  askedAt = 0;
  stamp: RemoteStamp | undefined;
  locked = false;
  /** The value or the failure is here, or nobody waits. */
  done = false;
  /** The remote tier is being offered the value. Until that is over, memory does not have it. */
  commit: Promise<void> | undefined;
  /** Something was invalidated that it may have read before. The value goes to those who came earlier, and is not kept. */
  overtaken = false;
  /** Someone waits who cannot leave. */
  pinned = false;
  waiters = 0;
  /** What those get who have the stale value to fall back on. */
  orStale: Promise<unknown> | undefined;

  constructor(
    key: string,
    userKey: string,
    flight: Flight | undefined,
    stale: Entry | undefined,
    since: number,
    startedAt: number,
  ) {
    this.key = key;
    this.userKey = userKey;
    this.flight = flight;
    this.stale = stale;
    this.since = since;
    this.startedAt = startedAt;
    this.tags = flight?.plan.tags ?? [];
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
