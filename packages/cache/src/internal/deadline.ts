/** Calls `fn` and rejects if it has not settled after `ms`; its signal aborts then. */
export function within<T>(ms: number, fn: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Error(`no answer within ${ms} ms`);
      reject(error);
      controller.abort(error);
    }, ms);
    unref(timer);
    const settled = async (): Promise<T> => fn(controller.signal);
    settled()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

/** Keeps a timer from holding the process open, where the host can. */
export function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
