/** A ramp has this many steps, so that weights and what is derived of them do not change with every request. */
const steps = 20;
/** Even at first a server gets this much, or it would never warm up. */
const least = 0.1;

/**
 * The share of its weight that a server in slow start may use: straight up from 0.1 to 1, in twentieths.
 *
 * @param elapsed ms since it began
 * @param duration ms, above 0
 */
export function rampAt(elapsed: number, duration: number): number {
  return Math.min(1, Math.max(least, stepAt(elapsed, duration) / steps));
}

/** How long, from the beginning, until the share changes next; ms. */
export function nextRampChange(elapsed: number, duration: number): number {
  return (Math.max(least * steps, stepAt(elapsed, duration)) + 1) * (duration / steps);
}

function stepAt(elapsed: number, duration: number): number {
  return Math.floor((elapsed / duration) * steps);
}
