import { duration } from '@weir/core';

const LONGEST = 2 ** 31 - 1;

/** Reads an option that becomes a timer: at least 1 ms, at most the 24 days that a runtime can wait. */
export const timerLength = (value: unknown, option: string, min = 1): number =>
  duration(value, option, { min, max: LONGEST });

/** A timer that does not keep the process alive. Node returns an object, browsers a number. */
export function unrefTimeout(run: () => void, ms: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(run, ms);
  (timer as { unref?: () => void }).unref?.();
  return timer;
}

/** Waits, or rejects at once with the signal's reason. Keeps the process alive: what follows is work still to be done. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return signal === undefined ? waited : orAbort(waited, signal, () => clearTimeout(timer));
}

/** Settles as the work does, or rejects at once with the signal's reason, having let go of what is no longer needed. */
export function orAbort<T>(work: PromiseLike<T>, signal: AbortSignal, letGo?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      letGo?.();
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const done = (): void => signal.removeEventListener('abort', onAbort);
    work.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => {
        done();
        reject(error);
      },
    );
  });
}
