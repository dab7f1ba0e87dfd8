import {
  type Awaitable,
  callable,
  type Exchange,
  InvalidOptionError,
  knownOptions,
  type Leave,
  type Outcome,
  oneOf,
  type Policy,
  problem,
  type Reply,
} from '@weir/core';
import { type Breaker, createBreaker } from './breaker.ts';
import type { BreakerOptions } from './breaker-options.ts';
import type { CallBreaker, Verdict } from './call-breaker.ts';
import { retryAfterOf } from './internal/retry-after.ts';
import { breakerOptionNames } from './internal/settings.ts';
import { type Breakers, createBreakers } from './registry.ts';

/** The options of the breaker itself may stand here too, in place of `breaker`. */
export interface CircuitBreakerOptions extends BreakerOptions {
  /** A breaker of either engine, or a set of them together with `key`. @default one made of the options given here */
  readonly breaker?: CallBreaker | Breakers;
  /** Which breaker a request goes by: a tenant, a route, an upstream. @default one for all */
  readonly key?: (x: Exchange) => string;
  /** With `key` and without `breaker`: breakers kept at once. @default 1000 */
  readonly max?: number;
  /**
   * Judges an exchange.
   *
   * @default 'error' is a failure, 'ok' a success; what a policy refused or a client gave up is ignored
   */
  readonly classify?: (outcome: Outcome, x: Exchange) => Verdict;
  /**
   * What a refused request gets: a reply, or a function that finds one, such as a stale copy. If it finds none, 503.
   *
   * @default 503 with `Retry-After` and a problem document
   */
  readonly fallback?: Reply | ((x: Exchange, retryAfterMs: number) => Awaitable<Reply | undefined>);
  /**
   * When the call is judged: at the head of the response, or at its end, where a cut stream is seen but an endless
   * one keeps a probe's place for its lease. Slowness is measured to the head either way, from when the request came in.
   *
   * @default 'head'
   */
  readonly until?: 'head' | 'end';
}

export interface CircuitBreakerPolicy extends Policy {
  /** The one breaker, for metrics and dashboards; undefined with `key`. */
  readonly breaker: CallBreaker | undefined;
  /** The set of breakers; undefined without `key`. */
  readonly breakers: Breakers | undefined;
}

const policyOptionNames = ['breaker', 'key', 'max', 'classify', 'fallback', 'until'];
/** Options that only the policy reads; any other belongs to a breaker made here. */
const ownOptions = new Set(policyOptionNames);

/**
 * Refuses requests while what is behind it fails. A refusal costs a clock read; a request that passes a few dozen ns.
 *
 * @throws InvalidOptionError if an option is unknown, out of range, or does not go with another one.
 *
 * @example
 * app.use(weir(circuitBreaker({ failureRate: 0.5, openFor: '10s' })));
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreakerPolicy {
  knownOptions(options, [...policyOptionNames, ...breakerOptionNames], 'circuitBreaker');
  const { key, classify = usualVerdict, fallback, until = 'head' } = options;
  if (key !== undefined) callable(key, 'key');
  callable(classify, 'classify');
  oneOf(until, 'until', ['head', 'end'] as const);
  if (fallback !== undefined && typeof fallback !== 'function' && typeof fallback?.status !== 'number') {
    throw new InvalidOptionError('fallback', 'a reply or a function', fallback);
  }
  const { breaker, breakers } = resolve(options);
  const refusal = refusals();

  const refuse = (x: Exchange, retryAfterMs: number): Awaitable<Reply> => {
    if (fallback === undefined) return refusal(retryAfterMs);
    if (typeof fallback !== 'function') return fallback;
    const found = fallback(x, retryAfterMs);
    return isThenable(found)
      ? found.then((reply) => reply ?? refusal(retryAfterMs))
      : (found ?? refusal(retryAfterMs));
  };

  return {
    name: 'circuit-breaker',
    until,
    breaker,
    breakers,
    enter(x): Awaitable<Reply | Leave> {
      const chosen = breaker ?? breakers!.get(key!(x));
      const report = isBreaker(chosen) ? withPermit(chosen) : withDeferredCall(chosen);
      if (report === undefined) return refuse(x, chosen.retryAfterMs);
      return (outcome) => {
        let verdict: Verdict = 'ignore';
        // A classifier that throws must not keep the permit; its error goes on to whoever runs the Leave.
        try {
          verdict = classify(outcome, x);
        } finally {
          report(verdict, outcome);
        }
      };
    },
  };
}

type Report = (verdict: Verdict, outcome: Outcome) => void;

function withPermit(breaker: Breaker): Report | undefined {
  const permit = breaker.tryAcquire();
  if (permit === 0) return undefined;
  return (verdict, { headMs, error }) => {
    if (verdict === 'success') breaker.success(permit, headMs);
    else if (verdict === 'failure') breaker.failure(permit, headMs, retryAfterOf(error));
    else breaker.ignore(permit);
  };
}

/** Drives a breaker that only wraps calls by a call that ends when, and as, it is told to. */
function withDeferredCall(breaker: CallBreaker): Report | undefined {
  let end: ((verdict: Verdict) => void) | undefined;
  const call = (): Promise<Verdict> =>
    new Promise((resolve) => {
      end = resolve;
    });
  breaker.execute(call, { classify: (_error, verdict) => verdict ?? 'ignore' }).catch(() => {});
  return end;
}

function usualVerdict({ kind }: Outcome): Verdict {
  if (kind === 'ok') return 'success';
  return kind === 'error' ? 'failure' : 'ignore';
}

function resolve(options: CircuitBreakerOptions): {
  breaker: CallBreaker | undefined;
  breakers: Breakers | undefined;
} {
  const { breaker: given, key, max } = options;
  const inline = Object.entries(options).filter(([name]) => !ownOptions.has(name));
  if (max !== undefined && (given !== undefined || key === undefined)) {
    throw new InvalidOptionError('max', 'given with `key` and without `breaker`', max);
  }
  if (given === undefined) {
    const made: BreakerOptions = Object.fromEntries(inline);
    return key === undefined
      ? { breaker: createBreaker(made), breakers: undefined }
      : { breaker: undefined, breakers: createBreakers({ ...made, max: max ?? 1000 }) };
  }
  if (inline.length > 0) {
    throw new InvalidOptionError(
      inline[0]![0],
      'given to the breaker itself, since `breaker` is',
      inline[0]![1],
    );
  }
  if (isBreakers(given)) {
    if (key === undefined) throw new InvalidOptionError('key', 'given with a set of breakers', key);
    return { breaker: undefined, breakers: given };
  }
  if (typeof given?.execute !== 'function') {
    throw new InvalidOptionError('breaker', 'a breaker or a set of breakers', given);
  }
  if (key !== undefined) throw new InvalidOptionError('key', 'left out with a single breaker', key);
  return { breaker: given, breakers: undefined };
}

const isBreakers = (given: CallBreaker | Breakers): given is Breakers => given?.kind === 'breakers';

const isBreaker = (breaker: CallBreaker): breaker is Breaker => 'tryAcquire' in breaker;

const isThenable = <T>(value: Awaitable<T>): value is PromiseLike<T> =>
  typeof (value as { then?: unknown } | undefined)?.then === 'function';

/** The 503, built anew only when its Retry-After changes. */
function refusals(): (retryAfterMs: number) => Reply {
  let last = -1;
  let reply: Reply | undefined;
  return (retryAfterMs) => {
    const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
    if (reply === undefined || seconds !== last) {
      last = seconds;
      reply = problem(503, {
        detail: 'The service behind this address is failing. Calls to it are held back for a while.',
        headers: ['retry-after', String(seconds)],
      });
    }
    return reply;
  };
}
