import type { Sink, Source } from '@weir/core';

/** A body that is there as a whole. */
export class BytesSource implements Source {
  readonly #bytes: Uint8Array;
  #sink: Sink | undefined = undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  start(sink: Sink): void {
    this.#sink = sink;
    // Not before `start` has returned: what sends requests may not be ready for a body that ends at once.
    queueMicrotask(() => {
      if (this.#bytes.length === 0 || this.#sink?.write(this.#bytes) === true) this.#end();
    });
  }

  resume(): void {
    this.#end();
  }

  cancel(_reason: unknown): void {
    this.#sink = undefined;
  }

  #end(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end();
  }
}
