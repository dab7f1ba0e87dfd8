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
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      reject(error);
    };
    try {
      // A user's store may give a value where it should give a promise.
      Promise.resolve(fn(controller.signal)).then((value) => {
        clearTimeout(timer);
        resolve(value);
      }, fail);
    } catch (error) {
      fail(error);
    }
  });
}

/** Keeps a timer from holding the process open, where the host can. */
export function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
