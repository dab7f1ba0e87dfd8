import type { Duplex } from 'node:stream';
import type { Breaker } from '@weir/circuit-breaker';
import { type Clock, type Sink, type Source, WeirError } from '@weir/core';
import type { Lease } from '@weir/load-balancer';
import type { Dispatcher } from 'undici';
import { blamesUpstream, failureType } from './failure.ts';
import type { ParsedFields } from './response-head.ts';

/** How much of a body may wait for somebody to start reading it. */
const highWaterMark = 64 * 1024;
/** How much of a body is read to keep the connection when nobody wants it. */
const worthReading = 64 * 1024;

/** A place that a breaker gave. */
export interface Permit {
  readonly breaker: Breaker;
  readonly number: number;
}

/** Whoever began a try. */
export interface TryOwner {
  /** The head has come. */
  answered(attempt: Try, fields: ParsedFields): void;
  /** The upstream has changed protocols; the socket is the owner's now. */
  upgraded(attempt: Try, fields: ParsedFields, socket: Duplex): void;
  /** It failed before the head. */
  failed(attempt: Try, error: unknown): void;
  /** Its response is over. */
  ended(): void;
  /** Whether the client itself broke its request off. */
  readonly clientBroke: boolean;
}

/**
 * One request to one upstream: undici's handler on one side, a source on the other. Chunks go from the parser to the
 * client's socket without a stream in between. The lease and the breaker's permit are given back exactly once.
 */
export class Try implements Dispatcher.DispatchHandler, Source {
  readonly lease: Lease;
  status = 0;
  /** Whether anything was written to the upstream. */
  sent = false;
  headMs = 0;
  readonly #owner: TryOwner;
  readonly #clock: Clock;
  readonly #began: number;
  #permit: Permit | undefined;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #sink: Sink | undefined = undefined;
  #waiting: Uint8Array[] | undefined = undefined;
  #waitingBytes = 0;
  #state: 'pending' | 'open' | 'unwanted' | 'ended' | 'failed' | 'cancelled' = 'pending';
  #error: unknown = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(owner: TryOwner, lease: Lease, permit: Permit | undefined, clock: Clock) {
    this.#owner = owner;
    this.lease = lease;
    this.#permit = permit;
    this.#clock = clock;
    this.#began = clock.now();
  }

  /** The upstream has so long from now on to send its head, or to take more of the request. */
  expect(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(headLate, ms, this).unref();
  }

  /** It is the client that is waited for. */
  excuse(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The head has not come in time. */
  late(): void {
    const error = new HeadTimeoutError();
    this.onResponseError(null, error);
    this.#controller?.abort(error);
  }

  /** Whether nothing more comes of it. */
  get over(): boolean {
    return this.#state !== 'pending' && this.#state !== 'open';
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#state === 'pending') {
      this.sent = true;
      this.#controller = controller;
    } else controller.abort(new Error('nobody waits any more'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, fields: ParsedFields): void {
    // Interim responses concern this connection; a client that asked for 100 has been answered by our own server.
    if (status < 200 || this.#state !== 'pending') return;
    this.#state = 'open';
    this.#head(status);
    this.#owner.answered(this, fields);
  }

  onRequestUpgrade(
    _controller: Dispatcher.DispatchController,
    status: number,
    fields: ParsedFields,
    socket: Duplex,
  ): void {
    // undici has taken its own listeners off; an error that nobody hears would end the process.
    socket.on('error', () => {});
    if (this.#state !== 'pending') {
      socket.destroy();
      return;
    }
    this.#state = 'ended';
    this.#head(status);
    this.#owner.upgraded(this, fields, socket);
  }

  #head(status: number): void {
    this.excuse();
    this.status = status;
    this.headMs = this.#clock.now() - this.#began;
  }

  /** Tells the breaker of the head. What comes after it is for the pool alone: a stream may last for hours. */
  report(retryAfterMs: number): void {
    const permit = this.#permit;
    if (permit === undefined) return;
    this.#permit = undefined;
    if (this.status >= 500) permit.breaker.failure(permit.number, this.headMs, retryAfterMs);
    else permit.breaker.success(permit.number, this.headMs);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#sink !== undefined) {
      if (!this.#sink.write(chunk)) controller.pause();
    } else if (this.#state === 'open') {
      // The parser runs ahead of whoever will start us, within one read of the socket.
      this.#waiting ??= [];
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes >= highWaterMark) controller.pause();
    } else if (this.#state === 'unwanted') {
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes > worthReading) controller.abort(new Error('nobody wants the rest'));
    }
  }

  onResponseEnd(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.release(this.status >= 500 ? 'failure' : 'ok');
    if (this.#waiting === undefined) this.#sink?.end();
    this.#owner.ended();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    const before = this.#state;
    if (before !== 'pending' && before !== 'open') return;
    this.#state = 'failed';
    this.excuse();
    this.#error = error;
    const blamed = !this.#owner.clientBroke && blamesUpstream(failureType(error));
    this.release(blamed ? 'failure' : 'ignore');
    if (before === 'pending') this.#owner.failed(this, error);
    else {
      this.#sink?.abort(error);
      this.#owner.ended();
    }
  }

  /** Gives back the lease, and the permit if the breaker has not been told. Later calls do nothing. */
  release(outcome: 'ok' | 'failure' | 'ignore'): void {
    this.lease.release(this.status === 0 ? { outcome } : { outcome, durationMs: this.headMs });
    const permit = this.#permit;
    if (permit === undefined) return;
    this.#permit = undefined;
    if (outcome === 'failure') permit.breaker.failure(permit.number, this.#clock.now() - this.#began);
    else permit.breaker.ignore(permit.number);
  }

  /** Holds the body back until it is known whether this answer is the one. */
  hold(): void {
    this.#controller?.pause();
  }

  /** Another answer is taken. */
  dismiss(): void {
    if (this.#state !== 'open') return;
    this.#state = 'unwanted';
    this.#waiting = undefined;
    this.release(this.status >= 500 ? 'failure' : 'ok');
    // Not at once: this may be called from within the parser of the answer that is taken.
    queueMicrotask(() => this.#controller?.resume());
  }

  start(sink: Sink): void {
    this.#sink = sink;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    let room = true;
    if (waiting !== undefined) for (const chunk of waiting) room = sink.write(chunk);
    if (this.#state === 'ended') sink.end();
    else if (this.#state === 'failed') sink.abort(this.#error);
    else if (room) this.#controller?.resume();
  }

  resume(): void {
    this.#controller?.resume();
  }

  /** The client has gone, or another try was quicker: the connection closes at once and nobody is blamed. */
  cancel(reason: unknown): void {
    this.#end('ignore', reason);
  }

  /** It took too long. */
  expire(): void {
    this.#end('failure', new Error('the deadline has passed'));
  }

  #end(outcome: 'ignore' | 'failure', reason: unknown): void {
    if (this.#state !== 'pending' && this.#state !== 'open') return;
    this.#state = 'cancelled';
    this.excuse();
    // Before undici's own report, which may come later.
    this.release(outcome);
    this.#controller?.abort(reason instanceof Error ? reason : new Error('cancelled'));
    this.#owner.ended();
  }
}

class HeadTimeoutError extends WeirError {
  override readonly name = 'HeadTimeoutError';

  constructor() {
    super('ERR_WEIR_PROXY_HEAD_TIMEOUT', 'the upstream did not answer in time');
  }
}

function headLate(attempt: Try): void {
  attempt.late();
}
