import type { Reply, Sink, Source } from '@weir/core';
import type { Dispatcher } from 'undici';
import { responseHeaders } from './headers.ts';

/** How much of a body may wait for somebody to start reading it. */
const highWaterMark = 64 * 1024;

/** What becomes of one try. */
export interface TryResult {
  /** The head has come: a reply whose body streams. */
  replied(reply: Reply): void;
  /** It failed before the head. */
  failed(error: Error): void;
  /** It is over after the head. */
  ended(result: 'ok' | 'failure' | 'ignore'): void;
}

/**
 * One request to an upstream: undici's handler on one side, a source on the other. Chunks go from the parser to the
 * client's socket without a stream in between.
 */
export class UpstreamResponse implements Dispatcher.DispatchHandler, Source {
  readonly #result: TryResult;
  #controller: Dispatcher.DispatchController | undefined;
  #sink: Sink | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #status = 0;
  #state: 'pending' | 'open' | 'ended' | 'cancelled' | 'failed' = 'pending';
  #error: unknown;

  constructor(result: TryResult) {
    this.#result = result;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#state === 'cancelled') controller.abort(new Error('the client has gone'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // Interim responses concern this connection; a client that asked for 100 has been answered by our own server.
    if (status < 200 || this.#state !== 'pending') return;
    this.#status = status;
    this.#state = 'open';
    const headers = responseHeaders((controller.rawHeaders ?? []) as readonly (Buffer | string)[]);
    this.#result.replied({ status, headers, body: this, kind: status >= 500 ? 'error' : 'ok' });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#sink !== undefined) {
      if (!this.#sink.write(chunk)) controller.pause();
      return;
    }
    // The parser runs ahead of whoever will start us, within one read of the socket.
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= highWaterMark) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#result.ended(this.#status >= 500 ? 'failure' : 'ok');
    if (this.#waiting.length === 0) this.#sink?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const before = this.#state;
    if (before === 'ended' || before === 'failed') return;
    this.#state = 'failed';
    this.#error = error;
    if (before === 'pending') this.#result.failed(error);
    else if (before === 'cancelled') this.#result.ended('ignore');
    else {
      this.#result.ended('failure');
      this.#sink?.abort(error);
    }
  }

  start(sink: Sink): void {
    this.#sink = sink;
    const waiting = this.#waiting;
    this.#waiting = [];
    let room = true;
    for (const chunk of waiting) room = sink.write(chunk);
    if (this.#state === 'ended') sink.end();
    else if (this.#state === 'failed') sink.abort(this.#error);
    else if (room) this.#controller?.resume();
  }

  resume(): void {
    this.#controller?.resume();
  }

  /** The client has gone, before or after the head. */
  cancel(reason: unknown): void {
    if (this.#state !== 'pending' && this.#state !== 'open') return;
    const started = this.#state === 'open';
    this.#state = 'cancelled';
    this.#controller?.abort(reason instanceof Error ? reason : new Error('cancelled'));
    // undici reports the abort as an error, at once or later; before the head nobody else tells.
    if (!started) this.#result.failed(new Error('the client has gone'));
  }
}
