import type { Reply } from './policy.ts';

/** Header fields as a flat list: name, value, name, value. Names are lower-case, repeats are kept. */
export type Pairs = readonly string[];

/** Status and headers of a response. */
export interface Head {
  readonly status: number;
  readonly headers: Pairs;
}

/**
 * A body that is pushed as it comes. Whoever is handed a source calls `start` or `cancel`, once.
 * `start` may write and end before it returns.
 */
export interface Source {
  start(sink: Sink): void;
  /** Goes on after `Sink.write` returned false. */
  resume(): void;
  /** Nobody wants the rest. Calls to the sink after this are ignored. */
  cancel(reason: unknown): void;
}

/** Where a {@link Source} pushes. After `end` or `abort`, further calls are ignored. */
export interface Sink {
  /** False: the chunk is taken, wait for `Source.resume()` before the next one. */
  write(chunk: Uint8Array): boolean;
  end(): void;
  abort(error: unknown): void;
}

/**
 * Watches a response on its way out. The innermost tap (the last one set) sees it first.
 * A tap that throws is detached with `end(false)`; the response goes on.
 */
export interface Tap {
  /**
   * The head as the handler made it, without what policies or outer middleware had set before `tap()`.
   * Return a reply to send instead, or false to stop watching.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a tap that only watches may be written without a return.
  head?(head: Head): Reply | false | void;
  /** A piece of the body; do not keep or change the bytes without copying. False: stop watching. */
  // biome-ignore lint/suspicious/noConfusingVoidType: as above.
  chunk?(chunk: Uint8Array): false | void;
  /** `complete`: the whole body went by. False: it was cut, replaced by an inner tap, or this tap failed. */
  end?(complete: boolean): void;
}

/**
 * What a policy may do with bodies, where the host allows it. `tap` and `setRequestHeader` may be called only
 * while `enter` runs or pends.
 */
export interface BodyCapability {
  /** The request's header fields as the handler will see them. */
  requestHeaders(): Pairs;
  /** Changes what the handler sees; undefined removes the field. */
  setRequestHeader(lowerName: string, value: string | undefined): void;
  /**
   * The request's body; undefined if it has none. Take it once, instead of calling the handler.
   *
   * @throws BodyConsumedError if something, such as a body parser, has read it before.
   */
  requestBody(): Source | undefined;
  /**
   * Gives whoever takes the request's body further in these bytes: for a policy that has taken it to look at it. Handlers
   * of the framework do not see them. Only where the host can: node:http and what stands on it.
   */
  setRequestBody?(body: Uint8Array): void;
  tap(tap: Tap): void;
}
