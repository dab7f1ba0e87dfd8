import type { Awaitable } from '@weir/core';
import { Scope } from './internal/scope.ts';
import { orAbort } from './internal/timers.ts';
import type { RetryBudget } from './retry-budget.ts';

/** What a call is given. */
export interface CallContext {
  /** Aborts when this attempt is given up: by the caller, a timeout, a deadline, or because another attempt won. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt, 2 for its first repetition, ... */
  readonly attempt: number;
  /** The budget that has counted this call as a first attempt, so that a strategy further in does not do it again. */
  readonly counted?: RetryBudget | undefined;
}

export type Call<T> = (context: CallContext) => Awaitable<T>;

export interface CallOptions {
  /** Gives up: rejects at once with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export type StrategyKind =
  | 'fallback'
  | 'retry'
  | 'hedge'
  | 'timeout'
  | 'breaker'
  | 'throttle'
  | 'bulkhead'
  | 'composed';

/** A way of making calls. Strategies nest: see `compose`. */
export interface Strategy {
  readonly kind: StrategyKind;
  <T>(call: Call<T>, context?: Partial<CallContext>): Promise<T>;
}

/** Begins the call now; a throw becomes a rejection. */
export const started = async <T>(call: Call<T>, context: CallContext): Promise<T> => call(context);

/**
 * Makes a strategy of a function that can rely on a whole context. Called by a user it rejects at once when the user's
 * signal aborts, whatever the call does; within another strategy that one sees to it.
 */
export function strategy(kind: StrategyKind, run: <T>(call: Call<T>, scope: Scope) => Promise<T>): Strategy {
  const called = async <T>(call: Call<T>, context: Partial<CallContext> = {}): Promise<T> => {
    if (context instanceof Scope) {
      context.throwIfAborted();
      return run(call, context);
    }
    const { signal } = context;
    signal?.throwIfAborted();
    const result = run(call, Scope.of(context));
    return signal === undefined ? result : orAbort(result, signal);
  };
  return Object.assign(called, { kind });
}

/** Makes a strategy a component too. A function has a read-only name of its own, which is replaced. */
export const asComponent = <Parts extends object>(
  made: Strategy,
  name: string,
  parts: Parts,
): Strategy & Parts & { readonly name: string } =>
  Object.defineProperty(Object.assign(made, parts), 'name', { value: name }) as never;

/** The form that makes a strategy and uses it once. */
export function runOnce<T, Options extends object>(
  make: (options: Options) => Strategy,
  call: Call<T>,
  options: Options & CallOptions,
): Promise<T> {
  const { signal, ...rest } = options;
  return make(rest as unknown as Options)(call, signal === undefined ? {} : { signal });
}
