import type { BodyCapability, Exchange, Key, Leave, Outcome, Policy, Reply, Source } from '@weir/core';
import { type Client, unknownAddress } from './client.ts';
import type { Settings } from './settings.ts';

/** Under this symbol hosts keep the exchange of a request; `Symbol.for`, so that two copies of this package agree. */
export const slot: unique symbol = Symbol.for('weir.exchange/1') as never;

/** A stack of leaves; policies enter outside in and leave inside out. */
interface Left {
  readonly leave: Leave;
  readonly policy: Policy;
  readonly next: Left | undefined;
}

/**
 * What all hosts share: the values policies hand on, and the pairing of `enter` with `Leave`. A host calls `headSent`
 * when the head goes out and `finish` when the response has ended; the second call of either does nothing.
 */
export abstract class HostExchange<Raw = unknown> implements Exchange<Raw> {
  readonly raw: Raw;
  readonly settings: Settings;
  abstract readonly method: string;
  abstract readonly url: string;
  abstract readonly body: BodyCapability | undefined;

  /** The policy that is entering; undefined outside the run. */
  entering: Policy | undefined = undefined;
  /** Whether the exchange has ended. */
  over = false;
  by: string | undefined = undefined;
  kind: Outcome['kind'] | undefined = undefined;
  error: unknown = undefined;
  /** What broke the response off on this side, after its head. */
  cut: unknown = undefined;
  private headStatus = 0;
  private headAt = 0;
  private startRead = false;
  private startTime = 0;
  private headLeaves: Left | undefined = undefined;
  private endLeaves: Left | undefined = undefined;
  private outcome: Outcome | undefined = undefined;
  private values: Map<symbol, unknown> | undefined = undefined;
  private client: Client | undefined = undefined;

  constructor(raw: Raw, settings: Settings) {
    this.raw = raw;
    this.settings = settings;
  }

  abstract readonly signal: AbortSignal;
  abstract header(lowerName: string): string | undefined;
  abstract setHeader(name: string, value: string): void;
  abstract appendHeader(name: string, value: string): void;
  /** Makes sure that the host will tell of the head and the end. Called at the first `Leave`, before any await. */
  abstract watch(): void;
  protected abstract resolveClient(): Client;
  protected abstract readonly ownHost: string;
  protected abstract readonly encrypted: boolean;

  get path(): string {
    return pathOf(this.url);
  }

  get host(): string {
    return this.seenClient.host ?? this.ownHost;
  }

  get protocol(): 'http' | 'https' {
    return this.seenClient.protocol ?? (this.encrypted ? 'https' : 'http');
  }

  get ip(): string {
    const { ip } = this.seenClient;
    if (ip === unknownAddress) this.settings.addressMissing();
    return ip;
  }

  private get seenClient(): Client {
    this.client ??= this.resolveClient();
    return this.client;
  }

  get startedAt(): number {
    if (!this.startRead) {
      this.startRead = true;
      this.startTime = this.settings.clock.now();
    }
    return this.startTime;
  }

  get<T>(key: Key<T>): T | undefined {
    return this.values?.get(key) as T | undefined;
  }

  set<T>(key: Key<T>, value: T): void {
    this.values ??= new Map();
    this.values.set(key, value);
  }

  waitUntil(work: Promise<unknown>): void {
    work.then(undefined, (error: unknown) => this.settings.fault(error, 'waitUntil'));
  }

  /** Whether a leave waits for the end, so that a host which has to watch the body knows. */
  get endWatched(): boolean {
    return this.endLeaves !== undefined;
  }

  /** Whether any leave waits. */
  get watched(): boolean {
    return this.endLeaves !== undefined || this.headLeaves !== undefined;
  }

  /** Keeps a leave for its time; runs it at once if that has passed. */
  addLeave(leave: Leave, policy: Policy): void {
    if (this.outcome !== undefined) {
      this.callLeave(leave, policy, this.outcome);
      return;
    }
    if (policy.until === 'head') this.headLeaves = { leave, policy, next: this.headLeaves };
    else this.endLeaves = { leave, policy, next: this.endLeaves };
    if (!this.startRead) this.startedAt;
    this.watch();
  }

  /** A policy has answered, or a tap has replaced the answer. */
  answered(reply: Reply, by: string): void {
    this.by = by;
    this.kind = reply.kind ?? 'rejected';
  }

  /** The head has gone out with this status: whoever waits for it leaves. */
  headSent(status: number): void {
    if (this.headStatus !== 0 || this.over) return;
    this.headStatus = status;
    if (this.endLeaves === undefined && this.headLeaves === undefined) return;
    this.headAt = this.settings.clock.now();
    const leaves = this.headLeaves;
    if (leaves === undefined) return;
    this.headLeaves = undefined;
    const ms = this.headAt - this.startedAt;
    this.leaveAll(leaves, this.describe(this.kind ?? kindOf(status, this.error), ms, ms));
  }

  /**
   * The response has ended: everybody leaves.
   *
   * @param end 'complete' if all of it was sent, 'aborted' if the client went first, 'error' if the server cut it
   */
  finish(end: 'complete' | 'aborted' | 'error'): void {
    if (this.over) return;
    this.over = true;
    if (this.endLeaves === undefined && this.headLeaves === undefined && this.entering === undefined) return;
    // Whatever the host makes of a body that was cut, it was not sent whole.
    const how = this.cut === undefined ? end : 'error';
    this.error ??= this.cut;
    const kind = how === 'complete' ? (this.kind ?? kindOf(this.headStatus, this.error)) : how;
    const durationMs = this.settings.clock.now() - this.startedAt;
    const headMs = this.headStatus === 0 ? durationMs : this.headAt - this.startedAt;
    this.outcome = this.describe(kind, headMs, durationMs);
    const [head, rest] = [this.headLeaves, this.endLeaves];
    this.headLeaves = undefined;
    this.endLeaves = undefined;
    this.leaveAll(head, this.outcome);
    this.leaveAll(rest, this.outcome);
  }

  private describe(kind: Outcome['kind'], headMs: number, durationMs: number): Outcome {
    return { status: this.headStatus, kind, by: this.by, error: this.error, headMs, durationMs };
  }

  private leaveAll(leaves: Left | undefined, outcome: Outcome): void {
    for (let left = leaves; left !== undefined; left = left.next)
      this.callLeave(left.leave, left.policy, outcome);
  }

  private callLeave(leave: Leave, policy: Policy, outcome: Outcome): void {
    try {
      leave(outcome);
    } catch (error) {
      this.settings.fault(error, `leaving policy "${policy.name}"`);
    }
  }
}

function kindOf(status: number, error: unknown): 'ok' | 'error' {
  return status >= 500 || error !== undefined ? 'error' : 'ok';
}

/** The path of a request target: no query; of an absolute-form target (RFC 9112, 3.2.2) what follows the authority. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  const target = query === -1 ? url : url.slice(0, query);
  if (target.charCodeAt(0) === 47) return target;
  const scheme = /^[a-z][a-z\d+.-]*:\/\/[^/]*/i.exec(target);
  return scheme === null ? target : target.slice(scheme[0].length) || '/';
}

export function isSource(body: Reply['body']): body is Source {
  return typeof body === 'object' && !(body instanceof Uint8Array);
}

/** Nobody will read this reply; its source, if it has one, must know. */
export function discard(reply: Reply, reason: unknown): void {
  if (isSource(reply.body)) reply.body.cancel(reason);
}

/** Whether a response to this method with this status has a body (RFC 9110, 6.4.1). */
export function hasBody(method: string, status: number): boolean {
  return method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304;
}
