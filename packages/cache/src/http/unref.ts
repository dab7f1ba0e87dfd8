/** Keeps a timer from holding the process open, where the host can. */
export function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
