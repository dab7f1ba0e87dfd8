import { Durations, type Json, type Sample } from '@weir/core';
import type { FailureType } from './failure.ts';

/** What became of a request. */
export type Result = 'answered' | 'failed' | 'refused' | 'aborted';

/** Plain counters of one proxy; hot paths only increment. */
export class Tally {
  inFlight = 0;
  answered = 0;
  failed = 0;
  refused = 0;
  aborted = 0;
  tries = 0;
  retries = 0;
  hedges = 0;
  hedgesWon = 0;
  overBudget = 0;
  readonly failures: { [type in FailureType]?: number } = {};
  /** From a try to the head of its response. */
  readonly heads: Durations = new Durations();

  fail(type: FailureType): void {
    this.failures[type] = (this.failures[type] ?? 0) + 1;
  }

  snapshot(): { readonly [name: string]: Json } {
    const { inFlight, answered, failed, refused, aborted, tries, retries, hedges, hedgesWon, overBudget } =
      this;
    return {
      inFlight,
      answered,
      failed,
      refused,
      aborted,
      tries,
      retries,
      hedges,
      hedgesWon,
      overBudget,
      failures: { ...this.failures } as { readonly [name: string]: Json },
    };
  }

  samples(proxy: string): readonly Sample[] {
    const counter = (name: string, help: string, value: number, labels: Sample['labels'] = {}): Sample => ({
      name: `weir_proxy_${name}_total`,
      help,
      type: 'counter',
      labels: { proxy, ...labels },
      value,
    });
    const results: readonly Result[] = ['answered', 'failed', 'refused', 'aborted'];
    return [
      ...results.map((result) =>
        counter('requests', 'Requests, by what became of them.', this[result], { result }),
      ),
      counter('tries', 'Times that a request was given to an upstream.', this.tries),
      counter('retries', 'Tries after one that had failed.', this.retries),
      counter('hedges', 'Tries begun beside one that took long.', this.hedges),
      counter('hedges_won', 'Hedges whose answer came first.', this.hedgesWon),
      counter('over_budget', 'Retries and hedges that the budget did not allow.', this.overBudget),
      ...Object.entries(this.failures).map(([error, value]) =>
        counter('failures', 'Tries that failed, by error type of RFC 9209.', value, { error }),
      ),
      {
        name: 'weir_proxy_in_flight',
        help: 'Requests and tunnels under way.',
        type: 'gauge',
        labels: { proxy },
        value: this.inFlight,
      },
      this.heads.sample('weir_proxy_upstream_head_seconds', 'Time from a try to the head of its response.', {
        proxy,
      }),
    ];
  }
}
