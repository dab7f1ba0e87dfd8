import type { Component, Json, Leave, Outcome, Policy, Sample } from '@weir/core';

/** Upper bounds of the buckets, in seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
const statuses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** What becomes of the requests of a route, as clients see it. Plain counters, read at scrape. */
export class RouteTally implements Component {
  readonly kind = 'route';
  readonly name: string;
  readonly #outcomes: { [kind in Outcome['kind']]: number } = { ok: 0, error: 0, rejected: 0, aborted: 0 };
  readonly #statuses: number[] = statuses.map(() => 0);
  readonly #heads: number[] = new Array(bounds.length + 1).fill(0);
  #headSeconds = 0;
  #inFlight = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** A policy that counts, and tells `entered` and `left` of each request. */
  policy(entered: () => void, left: () => void): Policy {
    const leave: Leave = (outcome) => {
      this.#count(outcome);
      left();
    };
    return {
      name: 'gateway',
      enter: () => {
        this.#inFlight += 1;
        entered();
        return leave;
      },
    };
  }

  snapshot(): { readonly [name: string]: Json } {
    return { inFlight: this.#inFlight, ...this.#outcomes };
  }

  metrics(): readonly Sample[] {
    const labels = { route: this.name };
    return [
      ...Object.entries(this.#outcomes).map(
        ([outcome, value]): Sample => ({
          name: 'weir_gateway_requests_total',
          help: 'Requests that have ended, by outcome.',
          type: 'counter',
          labels: { ...labels, outcome },
          value,
        }),
      ),
      ...statuses.map(
        (status, i): Sample => ({
          name: 'weir_gateway_responses_total',
          help: 'Responses whose head was sent, by class of status.',
          type: 'counter',
          labels: { ...labels, status },
          value: this.#statuses[i] as number,
        }),
      ),
      {
        name: 'weir_gateway_in_flight',
        help: 'Requests and tunnels under way.',
        type: 'gauge',
        labels,
        value: this.#inFlight,
      },
      {
        name: 'weir_gateway_head_seconds',
        help: 'Time from a request to the head of its response.',
        type: 'histogram',
        labels,
        bounds,
        counts: this.#heads.slice(),
        sum: this.#headSeconds,
      },
    ];
  }

  #count({ kind, status, headMs }: Outcome): void {
    this.#inFlight -= 1;
    this.#outcomes[kind] += 1;
    if (status === 0) return;
    const byClass = Math.min(Math.floor(status / 100), statuses.length) - 1;
    this.#statuses[byClass] = (this.#statuses[byClass] as number) + 1;
    const seconds = headMs / 1000;
    let i = 0;
    while (i < bounds.length && seconds > (bounds[i] as number)) i += 1;
    this.#heads[i] = (this.#heads[i] as number) + 1;
    this.#headSeconds += seconds;
  }
}
