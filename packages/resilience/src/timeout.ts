import { type Duration, knownOptions } from '@weir/core';
import { CallTimeoutError } from './errors.ts';
import { Scope } from './internal/scope.ts';
import { timerLength, unrefTimeout } from './internal/timers.ts';
import { type Call, type CallOptions, runOnce, type Strategy, started, strategy } from './strategy.ts';

export interface TimeoutOptions {
  /** How long a call may take. More than 0, at most 24 days. */
  readonly after: Duration;
}

/**
 * Gives a call so much time: then it rejects at once with a `CallTimeoutError`, and its signal aborts.
 *
 * @throws InvalidOptionError if `after` is no duration or out of range.
 *
 * @example
 * const page = await timeout(({ signal }) => fetch('https://example.org', { signal }), { after: '2s' });
 */
export function timeout(options: TimeoutOptions | Duration): Strategy;
export function timeout<T>(call: Call<T>, options: (TimeoutOptions & CallOptions) | Duration): Promise<T>;
export function timeout<T>(
  first: Call<T> | TimeoutOptions | Duration,
  options?: (TimeoutOptions & CallOptions) | Duration,
): Strategy | Promise<T> {
  if (typeof first !== 'function') return createTimeout(asOptions(first));
  return runOnce(createTimeout, first, asOptions(options as TimeoutOptions | Duration));
}

const asOptions = (given: TimeoutOptions | Duration): TimeoutOptions =>
  typeof given === 'object' ? given : { after: given };

function createTimeout(options: TimeoutOptions): Strategy {
  knownOptions(options, ['after'], 'timeout');
  const ms = timerLength(options.after, 'after');
  return strategy('timeout', (call, scope) => within(ms, call, scope));
}

/** One call within `ms`, in a scope that is aborted when they are over. */
export function within<T>(ms: number, call: Call<T>, outer: Scope): Promise<T> {
  const scope = new Scope(outer, outer.attempt, outer.counted, true);
  const { given } = outer;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      given?.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      end();
      reject(given!.reason);
    };
    const timer = unrefTimeout(() => {
      const reason = new CallTimeoutError(ms);
      end();
      reject(reason);
      scope.abort(reason);
    }, ms);
    given?.addEventListener('abort', onAbort);
    started(call, scope).then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}
