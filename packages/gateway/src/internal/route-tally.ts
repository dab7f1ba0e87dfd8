import {
  type Component,
  Durations,
  type Json,
  type Leave,
  type Outcome,
  type Policy,
  type Sample,
} from '@weir/core';

const statuses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** What becomes of the requests of a route, as clients see it. Plain counters, read at scrape. */
export class RouteTally implements Component {
  readonly kind = 'route';
  readonly name: string;
  readonly #outcomes: { [kind in Outcome['kind']]: number } = { ok: 0, error: 0, rejected: 0, aborted: 0 };
  readonly #statuses: number[] = statuses.map(() => 0);
  readonly #heads: Durations = new Durations();
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
      this.#heads.sample(
        'weir_gateway_head_seconds',
        'Time from a request to the head of its response.',
        labels,
      ),
    ];
  }

  #count({ kind, status, headMs }: Outcome): void {
    this.#inFlight -= 1;
    this.#outcomes[kind] += 1;
    if (status === 0) return;
    const byClass = Math.min(Math.floor(status / 100), statuses.length) - 1;
    this.#statuses[byClass] = (this.#statuses[byClass] as number) + 1;
    this.#heads.observe(headMs);
  }
}
