/** What errors of this kit, and others that copy it, say about when to come back: ms, 0 if nothing. */
export const retryAfterOf = (error: unknown): number => {
  const ms = (error as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  return typeof ms === 'number' && ms > 0 ? ms : 0;
};
