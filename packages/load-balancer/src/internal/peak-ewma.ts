/** What is known of a server's response times. */
export interface Latency {
  /** Ms; 0 until something is known. */
  latencyMs: number;
  /** When that was brought up to date, ms. */
  latencyAt: number;
}

/** Below this nothing is told apart; above 0, so that it does not look unknown. */
const least = 0.001;

/**
 * Peak EWMA, as of Twitter's Finagle: a slow answer counts at once and in full, quick ones win back trust over `decayMs`.
 * A failure may be quick for the wrong reason, so it can only make things worse.
 */
export function observe(server: Latency, ms: number, failed: boolean, now: number, decayMs: number): void {
  const before = decayed(server, now, decayMs);
  if (ms < before) {
    if (failed) return;
    server.latencyMs = Math.max(least, before + ms * (1 - before / server.latencyMs));
  } else server.latencyMs = Math.max(least, ms);
  server.latencyAt = now;
}

/**
 * What a server's response time is held to be now: without news it sinks towards 0, so that one that was slow once is
 * tried again.
 */
export function decayed(server: Readonly<Latency>, now: number, decayMs: number): number {
  return (server.latencyMs * decayMs) / (decayMs + Math.max(0, now - server.latencyAt));
}
