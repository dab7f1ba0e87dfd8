import { type Awaitable, InvalidOptionError } from '@weir/core';
import { isRefusal } from './internal/refusal.ts';
import { Scope } from './internal/scope.ts';
import {
  type Call,
  type CallContext,
  type Strategy,
  type StrategyKind,
  started,
  strategy,
} from './strategy.ts';

/** What `compose` needs of a circuit breaker; those of `@weir/circuit-breaker` fit. */
export interface BreakerLike {
  execute<T>(
    fn: (signal: AbortSignal) => Awaitable<T>,
    options?: {
      readonly signal?: AbortSignal;
      readonly classify?: (error: unknown, value: T | undefined) => 'success' | 'failure' | 'ignore';
    },
  ): Promise<T>;
}

/** From the outside in. A timeout may stand anywhere but inside a bulkhead. */
const order: readonly StrategyKind[] = ['fallback', 'retry', 'hedge', 'breaker', 'throttle', 'bulkhead'];

const because: { readonly [kind in StrategyKind]?: string } = {
  fallback: 'inside another strategy it would hide failures from it',
  retry: 'each of its attempts must be seen by breakers and take its own place in a bulkhead',
  hedge: 'each of its attempts must be seen by breakers and take its own place in a bulkhead',
  breaker: 'calls that it refuses must not take a place in a bulkhead',
  throttle: 'calls that it refuses must not take a place in a bulkhead',
  timeout: 'a bulkhead holds a place until the real end of a call, which a timeout inside it would hide',
};

/**
 * Nests strategies, the outermost first. An order that defeats one of them is refused: fallback, retry, hedge, breaker,
 * throttle, bulkhead is the only one, each at most once; timeouts go outside of any of these (in front of `retry` for
 * all attempts together, behind it for each). A composed strategy counts as the strategies in it. What a bulkhead or throttle refuses is no failure to a breaker around it.
 *
 * @throws InvalidOptionError naming the strategy that stands in the wrong place.
 *
 * @example
 * const careful = compose(timeout('5s'), retry({ attempts: 3 }), breaker, timeout('1s'), bulkhead({ concurrency: 10 }));
 * const page = await careful(({ signal }) => fetch('https://example.org', { signal }));
 */
export function compose(...strategies: readonly (Strategy | BreakerLike)[]): Strategy {
  const chain = strategies.flatMap((each) => parts.get(each) ?? [asStrategy(each)]);
  let last = -1;
  for (const { kind } of chain) {
    const rank = order.indexOf(kind);
    if (rank === -1 ? kind === 'timeout' && order[last] === 'bulkhead' : rank <= last) {
      throw new InvalidOptionError('strategies', `in the order ${order.join(', ')}: ${because[kind]}`, kind);
    }
    if (rank !== -1) last = rank;
  }
  const made = strategy('composed', (call, scope) => nest(chain, 0, call, scope));
  parts.set(made, chain);
  return made;
}

/** What a composed strategy is made of: within another one its parts keep to the same order. */
const parts = new WeakMap<object, readonly Strategy[]>();

function nest<T>(chain: readonly Strategy[], at: number, call: Call<T>, context: CallContext): Promise<T> {
  const outer = chain[at];
  if (outer === undefined) return started(call, context);
  return outer((inner) => nest(chain, at + 1, call, inner), context);
}

function asStrategy(given: Strategy | BreakerLike): Strategy {
  if (typeof given === 'function') return given;
  if (typeof given?.execute !== 'function') {
    throw new InvalidOptionError('strategies', 'strategies and breakers', given);
  }
  return strategy('breaker', (call, scope) => throughBreaker(given, call, scope, verdict));
}

/** A call as a breaker makes it: by the breaker's own signal, which follows the caller's. */
export function throughBreaker<T>(
  breaker: BreakerLike,
  call: Call<T>,
  { given, attempt, counted }: Scope,
  classify: (error: unknown) => 'success' | 'failure' | 'ignore',
): Promise<T> {
  const options = given === undefined ? { classify } : { classify, signal: given };
  return breaker.execute((signal) => call(new Scope(signal, attempt, counted)), options);
}

/** Of a call inside a breaker. */
export const verdict = (error: unknown): 'success' | 'failure' | 'ignore' => {
  if (error === undefined) return 'success';
  return isRefusal(error) ? 'ignore' : 'failure';
};
