import type { Sink, Source } from '@weir/core';
import type { NodeRequest } from './exchange.ts';

/** The body of a request as it comes in, with the socket's own backpressure. */
export class RequestSource implements Source {
  readonly #req: NodeRequest;
  #sink: Sink | undefined = undefined;

  constructor(req: NodeRequest) {
    this.#req = req;
  }

  start(sink: Sink): void {
    this.#sink = sink;
    const req = this.#req as NodeJS.ReadableStream & NodeRequest;
    req.on('data', this.#data).on('end', this.#ended).on('error', this.#failed).on('close', this.#closed);
  }

  resume(): void {
    if (this.#sink !== undefined) this.#req.resume();
  }

  cancel(_reason: unknown): void {
    this.#detach();
    // What still comes is thrown away, so that the connection can carry the next request.
    this.#req.resume();
  }

  readonly #data = (chunk: Uint8Array): void => {
    if (this.#sink?.write(chunk) === false) this.#req.pause();
  };

  readonly #ended = (): void => this.#detach()?.end();

  readonly #failed = (error: unknown): void => this.#detach()?.abort(error);

  readonly #closed = (): void => this.#detach()?.abort(new Error('the client has gone'));

  #detach(): Sink | undefined {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#req.off('data', this.#data).off('end', this.#ended).off('close', this.#closed);
    // An error after the end of our interest must not become an uncaught one.
    return sink;
  }
}
