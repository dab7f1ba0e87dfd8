import type { Source } from '@weir/core';

/** A source as the async iterable that undici sends, one chunk ahead of the socket. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #source: Source;
  /** Whether any of it was asked for: after that it cannot be sent again. */
  used = false;

  constructor(source: Source) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    this.used = true;
    const source = this.#source;
    const chunks: Uint8Array[] = [];
    let state: 'open' | 'ended' | { readonly error: unknown } = 'open';
    let wake: (() => void) | undefined;
    source.start({
      write(chunk) {
        chunks.push(chunk);
        wake?.();
        return chunks.length < 2;
      },
      end() {
        state = 'ended';
        wake?.();
      },
      abort(error) {
        state = { error };
        wake?.();
      },
    });
    return {
      async next() {
        while (chunks.length === 0 && state === 'open') {
          source.resume();
          await new Promise<void>((resolve) => (wake = resolve));
        }
        const value = chunks.shift();
        if (value !== undefined) return { value, done: false };
        if (typeof state === 'object') throw state.error;
        return { value: undefined, done: true };
      },
      async return() {
        if (state === 'open') source.cancel(new Error('the upstream takes no more'));
        state = 'ended';
        return { value: undefined, done: true };
      },
    };
  }

  /** Nobody sends it. */
  discard(): void {
    if (!this.used) this.#source.cancel(new Error('no upstream takes it'));
    this.used = true;
  }
}
