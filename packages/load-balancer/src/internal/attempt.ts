import { after } from './after.ts';

/** Something that is under way, and ends in time whether it heeds its signal or not. */
export interface Attempt<T> {
  readonly result: Promise<T>;
  /** Ends it at once, with a rejection. */
  cancel(): void;
}

/** Begins something that may take `ms` milliseconds; it is told by a signal, and waited for no longer. */
export function attempt<T>(ms: number, begin: (signal: AbortSignal) => Promise<T>): Attempt<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  const stopTimer = after(ms, () => controller.abort(new Error(`timed out after ${ms} ms`)));
  const begun = (async () => begin(signal))();
  return {
    result: Promise.race([begun, aborted]).finally(stopTimer),
    cancel: () => controller.abort(new Error('cancelled')),
  };
}
