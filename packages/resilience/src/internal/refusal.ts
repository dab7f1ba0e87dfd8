/** Calls that were not made, so as to spare something. Trying again at once would undo that. */
const refusals: ReadonlySet<unknown> = new Set([
  'ERR_WEIR_BREAKER_OPEN',
  'ERR_WEIR_BULKHEAD_FULL',
  'ERR_WEIR_THROTTLED',
  'ERR_WEIR_LIMITED',
  'ERR_WEIR_NO_UPSTREAM',
  'EOPENBREAKER',
]);

/** By code, not by class: the breaker is another package, and a package may be installed twice. */
export const isRefusal = (error: unknown): boolean =>
  refusals.has((error as { code?: unknown } | null | undefined)?.code);

/** What an error says about when to come back, ms; 0 if nothing. */
export const retryAfterOf = (error: unknown): number => {
  const ms = (error as { retryAfterMs?: unknown } | null | undefined)?.retryAfterMs;
  return typeof ms === 'number' && ms > 0 ? ms : 0;
};
