import type { Sample } from '@weir/core';
import type { BreakerState } from '../call-breaker.ts';

/** Plain counters of one breaker. */
export interface CallCounts {
  success: number;
  failure: number;
  ignored: number;
  refused: number;
  stale: number;
  opened: number;
}

export const noCalls = (): CallCounts => ({
  success: 0,
  failure: 0,
  ignored: 0,
  refused: 0,
  stale: 0,
  opened: 0,
});

const value: { readonly [state in BreakerState]: number } = { closed: 0, open: 1, 'half-open': 2 };

/** Without a state for breakers that are counted together. */
export function breakerSamples(
  breaker: string,
  state: BreakerState | undefined,
  counts: CallCounts,
): Sample[] {
  const { opened, ...results } = counts;
  const total = (what: string, help: string, value: number, result?: string): Sample => ({
    name: `weir_circuit_breaker_${what}_total`,
    help,
    type: 'counter',
    labels: result === undefined ? { breaker } : { breaker, result },
    value,
  });
  const samples = [
    total('opened', 'Times that it opened.', opened),
    ...Object.entries(results).map(([result, count]) => total('calls', 'Calls, by result.', count, result)),
  ];
  if (state !== undefined) {
    samples.push({
      name: 'weir_circuit_breaker_state',
      help: 'State: 0 closed, 1 open, 2 half-open.',
      type: 'gauge',
      labels: { breaker },
      value: value[state],
    });
  }
  return samples;
}
