import type { Pairs, Source } from './body.ts';
import type { Exchange } from './exchange.ts';

/** A value, or the promise of one. Policies answer at once whenever they can: a promise costs more than a decision. */
export type Awaitable<T> = T | PromiseLike<T>;

/**
 * One concern of HTTP traffic, independent of any framework: it lets a request pass, answers it, or asks to be
 * told how it ended.
 *
 * @example
 * const maintenance: Policy = {
 *   name: 'maintenance',
 *   enter: (x) => (x.path.startsWith('/admin') ? undefined : problem(503, { detail: 'Back at noon.' })),
 * };
 */
export interface Policy<Raw = unknown> {
  /** Shown in `Outcome.by`, logs and traces. */
  readonly name: string;
  /**
   * When the {@link Leave} runs: when the head of the response is sent, or when the response has ended. 'head'
   * spares hosts that speak fetch the watching of the body.
   *
   * @default 'end'
   */
  readonly until?: 'head' | 'end';
  /**
   * What becomes of the request when `enter` throws: 'closed' answers 500 with kind 'error', 'open' goes on.
   *
   * @default 'closed'
   */
  readonly onFault?: 'open' | 'closed';
  /**
   * Called once per request.
   *
   * @returns nothing to pass, a {@link Reply} to answer, a {@link Leave} to pass and be told of the end.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a policy that only passes may be written without a return.
  enter(x: Exchange<Raw>): Awaitable<void | Reply | Leave>;
}

/**
 * Runs exactly once for each `enter` that returned it, in reverse order of entering, also after an abort. An error
 * thrown here is reported and never stops the other ones.
 */
export type Leave = (outcome: Outcome) => void;

/** A finished response, made by a policy instead of the handler. Treated as immutable; one may be sent many times. */
export interface Reply {
  readonly status: number;
  readonly headers?: Pairs | undefined;
  /** A source makes the reply single-use. */
  readonly body?: string | Uint8Array | Source | undefined;
  /**
   * How outer policies see it: a refusal ('rejected'), a failure ('error'), or an answer as good as the handler's.
   *
   * @default 'rejected'
   */
  readonly kind?: 'ok' | 'error' | 'rejected' | undefined;
}

/** How an exchange ended. */
export interface Outcome {
  /** The status that was sent; 0 if no head was sent. */
  readonly status: number;
  /**
   * - `ok`: answered by the handler, or by a policy in its place (a cache hit, a proxied response);
   * - `error`: the handler threw, answered with a status >= 500, or its stream was cut;
   * - `rejected`: a policy refused the request;
   * - `aborted`: the client went away first. Never the service's failure.
   */
  readonly kind: 'ok' | 'error' | 'rejected' | 'aborted';
  /** The name of the policy that answered, if one did. */
  readonly by?: string | undefined;
  readonly error?: unknown;
  /** Milliseconds from `Exchange.startedAt` to the head of the response, or to the end if none was sent. */
  readonly headMs: number;
  /** Milliseconds from `Exchange.startedAt` to now. */
  readonly durationMs: number;
}
