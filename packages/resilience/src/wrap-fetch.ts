import {
  type Awaitable,
  type Clock,
  callable,
  type Duration,
  InvalidOptionError,
  knownOptions,
  systemClock,
  text,
} from '@weir/core';
import type { Bulkhead } from './bulkhead.ts';
import { type BreakerLike, throughBreaker, verdict } from './compose.ts';
import { LimitedError, NoUpstreamError } from './errors.ts';
import { BadResponse, discard, retryAfterMs } from './internal/fetch-response.ts';
import { Outgoing } from './internal/outgoing.ts';
import { Scope } from './internal/scope.ts';
import { timerLength } from './internal/timers.ts';
import { type RetryOptions, retry } from './retry.ts';
import { type Call, type CallContext, started } from './strategy.ts';
import type { AdaptiveThrottle } from './throttle.ts';
import { within } from './timeout.ts';

/** The part of `fetch` that is wrapped. */
export type FetchLike = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** `fetch` with one more field: how long this call, with its repetitions, may take. */
export type WrappedFetch = (
  input: string | URL | Request,
  init?: RequestInit & { readonly deadline?: Duration },
) => Promise<Response>;

/** What is needed of a pool; those of `@weir/load-balancer` fit. */
export interface PoolLike {
  /** `exclude`: URLs of upstreams that have failed this request. */
  acquire(options?: { readonly exclude: readonly string[] }): PoolLease | undefined;
}

export interface PoolLease {
  readonly upstream: { readonly url: string };
  release(result: { readonly outcome: 'ok' | 'failure' | 'ignore'; readonly durationMs?: number }): void;
}

/** What is needed of a limiter; those of `@weir/rate-limit` fit. */
export interface LimiterLike {
  wait(
    key: string,
    options: { readonly signal: AbortSignal },
  ): Awaitable<{ readonly allowed: boolean; readonly retryAfterMs: number }>;
}

export interface WrapFetchOptions {
  /**
   * How each request is repeated; false: never. For a response that is no answer (429 or 5xx), `retryOn` and `onRetry` get
   * an error with the `response` and its `retryAfterMs`.
   *
   * @default {}
   */
  readonly retry?: RetryOptions | false;
  /** Methods that may be repeated; others are with an `idempotency-key` header. @default the idempotent ones of RFC 9110 */
  readonly retryMethods?: readonly string[];
  /** Statuses worth another attempt. @default 429, 502, 503, 504 */
  readonly retryStatuses?: readonly number[];
  /** How long each attempt may take to the head of its response. @default no limit */
  readonly timeout?: Duration;
  /** How long a request may take in all, to the head of its response. @default no limit */
  readonly deadline?: Duration;
  /** Header that tells the service how many ms are left; see `remainingDeadline`. False: none. @default false */
  readonly deadlineHeader?: string | false;
  /** A breaker for all, or one for each URL, such as `(url) => breakers.get(url.origin)`. */
  readonly breaker?: BreakerLike | ((url: URL) => BreakerLike);
  /** Bounds the attempts under way, to the heads of their responses. */
  readonly bulkhead?: Bulkhead;
  /** Holds requests back while the service refuses them. */
  readonly throttle?: AdaptiveThrottle;
  /** Limits requests, by origin. */
  readonly limiter?: LimiterLike;
  /** Upstreams to spread attempts over, others first for a repetition: the origin of a URL is replaced by theirs. */
  readonly pool?: PoolLike;
  /** @default systemClock */
  readonly clock?: Clock;
}

const names = [
  'retry',
  'retryMethods',
  'retryStatuses',
  'timeout',
  'deadline',
  'deadlineHeader',
  'breaker',
  'bulkhead',
  'throttle',
  'limiter',
  'pool',
  'clock',
];

/**
 * A `fetch` with limits, retries, breaker and balancing. A request is repeated only if its method is idempotent and its
 * body can be sent again (not a stream). `Retry-After` is the least wait. The bodies of responses that are not returned
 * are cancelled; when attempts are used up the last response is returned as it is. To a breaker, 5xx and
 * network errors are failures, 429 is nothing. From the outside in: deadline, limiter, retry, breaker, throttle, timeout,
 * bulkhead, pool.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const call = wrapFetch(fetch, { timeout: '2s', deadline: '5s', retry: { attempts: 3, budget: retryBudget() } });
 * const response = await call('https://prices.example/all');
 */
export function wrapFetch(fetch: FetchLike, options: WrapFetchOptions = {}): WrappedFetch {
  callable(fetch, 'fetch');
  knownOptions(options, names, 'wrapFetch');
  const { breaker, bulkhead, throttle, limiter, pool, deadlineHeader = false, clock = systemClock } = options;
  const perAttempt = limit(options.timeout, 'timeout');
  const usualDeadline = limit(options.deadline, 'deadline');
  if (deadlineHeader !== false) text(deadlineHeader, 'deadlineHeader');
  const idempotent = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'];
  const methods = new Set(words(options.retryMethods ?? idempotent, 'retryMethods', 'string'));
  const statuses = new Set(words(options.retryStatuses ?? [429, 502, 503, 504], 'retryStatuses', 'number'));
  const { retry: repetition = {} } = options;
  const repeat = repetition === false ? undefined : repeater(repetition, statuses);

  const send = async (request: Outgoing, { signal }: CallContext): Promise<Response> => {
    // One that has failed is better than none.
    const lease = pool?.acquire({ exclude: request.tried }) ?? pool?.acquire();
    if (pool !== undefined && lease === undefined) throw new NoUpstreamError();
    if (lease !== undefined) request.tried.push(lease.upstream.url);
    const began = clock.now();
    let outcome: 'ok' | 'failure' | 'ignore' = 'failure';
    try {
      const [input, init] = request.aimedAt(
        lease?.upstream.url,
        signal,
        deadlineHeader,
        perAttempt,
        clock.now(),
      );
      const response = await fetch(input, init);
      if (response.status < 500 && response.status !== 429) {
        outcome = 'ok';
        return response;
      }
      if (response.status === 429) outcome = 'ignore';
      throw new BadResponse(response, retryAfterMs(response, clock));
    } catch (error) {
      if (request.signal?.aborted) outcome = 'ignore';
      throw error;
    } finally {
      lease?.release({ outcome, durationMs: clock.now() - began });
    }
  };

  const attempt = (request: Outgoing, context: CallContext): Promise<Response> => {
    let call: Call<Response> = (inner) => send(request, inner);
    if (bulkhead !== undefined) call = around(bulkhead, call);
    if (perAttempt > 0) call = around((inner, outer) => within(perAttempt, inner, Scope.of(outer)), call);
    if (throttle !== undefined) call = around(throttle, call);
    if (breaker === undefined) return started(call, context);
    const chosen = typeof breaker === 'function' ? breaker(request.url) : breaker;
    return throughBreaker(chosen, call, Scope.of(context), verdictOn);
  };

  const run = async (request: Outgoing, context: CallContext): Promise<Response> => {
    if (limiter !== undefined) {
      const decision = await limiter.wait(request.url.origin, { signal: context.signal });
      if (!decision.allowed) throw new LimitedError(decision.retryAfterMs);
    }
    const call = (inner: CallContext): Promise<Response> => attempt(request, inner);
    return repeat !== undefined && request.mayRepeat(methods) ? repeat(call, context) : call(context);
  };

  return async function resilientFetch(input, init = {}) {
    const { deadline, ...rest } = init;
    const ms = deadline === undefined ? usualDeadline : limit(deadline, 'deadline');
    const request = new Outgoing(input, rest, ms === 0 ? Infinity : clock.now() + ms);
    request.signal?.throwIfAborted();
    const scope = new Scope(request.signal, 1, undefined);
    try {
      return await (ms === 0 ? run(request, scope) : within(ms, (inner) => run(request, inner), scope));
    } catch (error) {
      if (error instanceof BadResponse) return error.response;
      throw error;
    }
  };
}

function repeater(options: RetryOptions, statuses: ReadonlySet<unknown>) {
  const { retryOn = () => true, onRetry } = options;
  callable(retryOn, 'retry.retryOn');
  return retry({
    ...options,
    retryOn: (error, tried) =>
      (!(error instanceof BadResponse) || statuses.has(error.response.status)) && retryOn(error, tried),
    onRetry(error, tried, delayMs) {
      if (error instanceof BadResponse) discard(error.response);
      onRetry?.(error, tried, delayMs);
    },
  });
}

type Around = (call: Call<Response>, context: CallContext) => Promise<Response>;

const around =
  (outer: Around, call: Call<Response>): Call<Response> =>
  (context) =>
    outer(call, context);

const verdictOn = (error: unknown): 'success' | 'failure' | 'ignore' =>
  error instanceof BadResponse && error.response.status === 429 ? 'ignore' : verdict(error);

const limit = (value: Duration | undefined, name: string): number =>
  value === undefined ? 0 : timerLength(value, name);

function words<T>(given: readonly T[], option: string, type: 'string' | 'number'): readonly T[] {
  if (Array.isArray(given) && given.every((each) => typeof each === type)) return given;
  throw new InvalidOptionError(option, `an array, each a ${type}`, given);
}
