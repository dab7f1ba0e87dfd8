import { type Awaitable, duration } from '@weir/core';
import type { ExecuteOptions, Verdict } from '../call-breaker.ts';
import { BreakerDeadlineError } from '../errors.ts';

/** The deadline in ms, or 0. Read before a permit is taken, because a bad one throws. */
export const deadlineOf = (options: Pick<ExecuteOptions, 'deadline'>): number =>
  options.deadline === undefined ? 0 : duration(options.deadline, 'deadline', { max: 2 ** 31 - 1 });

/**
 * Calls `fn` and reports once how it ended: by itself, by the caller's signal or by the deadline, whichever is first.
 * What happens later is nobody's business any more.
 */
export function attempt<T>(
  fn: (signal: AbortSignal) => Awaitable<T>,
  options: ExecuteOptions<T>,
  deadline: number,
  report: (verdict: Verdict, error?: unknown) => void,
): Promise<T> {
  const { signal, classify } = options;
  const wanted = fn.length > 0 && (deadline > 0 || signal === undefined);
  const own = wanted ? new AbortController() : undefined;
  // The caller's goes on to count when the call has ended, for a body that is still being read.
  const given =
    own !== undefined && signal !== undefined
      ? AbortSignal.any([signal, own.signal])
      : (own?.signal ?? signal);
  return new Promise<T>((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let reported = false;

    const finish = (verdict: Verdict, error?: unknown): boolean => {
      if (reported) return false;
      reported = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      report(verdict, error);
      return true;
    };
    const giveUp = (verdict: Verdict, reason: unknown): void => {
      if (!finish(verdict, reason)) return;
      reject(reason);
      own?.abort(reason);
    };
    const onAbort = (): void => giveUp('ignore', signal?.reason);
    const judge = (error: unknown, value: T | undefined, usual: Verdict): boolean => {
      if (reported) return false;
      try {
        return finish(classify === undefined ? usual : classify(error, value), error);
      } catch (fault) {
        giveUp('ignore', fault);
        return false;
      }
    };

    signal?.addEventListener('abort', onAbort);
    if (deadline > 0) {
      timer = setTimeout(() => giveUp('failure', new BreakerDeadlineError(deadline)), deadline);
      // Node returns an object, browsers a number; only the former keeps a process alive.
      (timer as { unref?: () => void }).unref?.();
    }
    (async () => fn(given as AbortSignal))().then(
      (value) => judge(undefined, value, 'success') && resolve(value),
      (error: unknown) => judge(error, undefined, 'failure') && reject(error),
    );
  });
}
