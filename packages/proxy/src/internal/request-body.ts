import { EventEmitter } from 'node:events';
import type { Sink, Source } from '@weir/core';

/**
 * A source in the guise of a stream, as far as undici uses one: chunks go from the client's socket to the upstream's
 * without a stream, or a promise, in between. Nothing is read before undici calls `resume`.
 */
export class RequestBody extends EventEmitter implements Sink {
  readonly #source: Source;
  #state: 'unread' | 'reading' | 'ended' | 'dropped' = 'unread';
  #paused = false;
  /** Whether it was the client that broke it off. */
  broken = false;
  /** What undici looks at to see whether `destroy` was called. */
  destroyed = false;
  /** Told whether the upstream is the one that is waited for now, rather than the client. */
  onTurn: ((upstreams: boolean) => void) | undefined = undefined;

  constructor(source: Source) {
    super();
    this.#source = source;
  }

  /** By this method undici knows a stream; it does not call it. */
  pipe(): never {
    throw new Error('not a stream');
  }

  resume(): void {
    this.#paused = false;
    this.onTurn?.(false);
    if (this.#state === 'unread') {
      this.#state = 'reading';
      this.#source.start(this);
    } else if (this.#state === 'reading') this.#source.resume();
  }

  pause(): void {
    this.#paused = true;
    this.onTurn?.(true);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state === 'reading') this.emit('data', chunk);
    return !this.#paused;
  }

  end(): void {
    if (this.#state !== 'reading') return;
    this.#state = 'ended';
    this.onTurn?.(true);
    this.emit('end');
  }

  abort(error: unknown): void {
    if (this.#state !== 'reading') return;
    this.broken = true;
    this.#state = 'ended';
    this.#fail(error);
  }

  /** Called by undici: the request is over, or its body does not fit its length. */
  destroy(error?: unknown): void {
    if (this.destroyed) return;
    this.destroyed = true;
    const wasReading = this.#state === 'reading';
    this.drop(error ?? new Error('the upstream takes no more'));
    if (wasReading && error !== undefined && error !== null) queueMicrotask(() => this.#fail(error));
  }

  /** Nobody takes the rest. */
  drop(reason: unknown): void {
    this.onTurn = undefined;
    const before = this.#state;
    if (before !== 'ended') this.#state = 'dropped';
    if (before === 'unread' || before === 'reading') this.#source.cancel(reason);
  }

  #fail(error: unknown): void {
    // Without a listener the emitter would throw; then nobody is interested any more.
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }
}
