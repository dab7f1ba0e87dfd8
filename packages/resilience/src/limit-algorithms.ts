/**
 * The next concurrency limit by the ratio of latencies: the limit shrinks as the sampled latency rises above the one
 * without load, and always leaves room for a queue of its square root, so that it can grow.
 *
 * @param limit requests under way allowed until now
 * @param unloaded latency without load, ms
 * @param sampled latency of the last window, ms
 * @param tolerance rise that is taken for noise; 0.25 is a quarter
 *
 * Source: Envoy's adaptive concurrency filter, gradient controller; after Netflix's concurrency-limits.
 */
export function gradientLimit(limit: number, unloaded: number, sampled: number, tolerance: number): number {
  // Shrinks to half at most, and never grows by the ratio: growth is the square root's part.
  const gradient = Math.min(1, Math.max(0.5, (unloaded * (1 + tolerance)) / sampled));
  return limit * gradient + Math.sqrt(limit);
}

/**
 * The next concurrency limit by additive increase, multiplicative decrease: one more for each window that went well, a
 * tenth less for each that did not.
 *
 * Source: D. Chiu and R. Jain, Analysis of the increase and decrease algorithms for congestion avoidance (1989).
 */
export const aimdLimit = (limit: number, overloaded: boolean): number =>
  overloaded ? limit * 0.9 : limit + 1;
