/** Calls `callback` after `ms`, without keeping the process alive for it. Returns what cancels it. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  // Node returns an object, browsers a number; only the former keeps a process alive.
  (timer as { unref?: () => void }).unref?.();
  return () => clearTimeout(timer);
}
