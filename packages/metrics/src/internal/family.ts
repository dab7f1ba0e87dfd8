import type { Sample } from '@weir/core';

/** One line of a scrape. */
export interface Value {
  readonly labels: { readonly [label: string]: string | number };
  readonly value: number;
  /** Where it is not the family's: `<name>_bucket`. */
  readonly metricName?: string;
}

/** What a scrape asks of a registry's metrics; prom-client's own do the same. */
export class Family {
  /** For OpenMetrics the registry itself takes `_total` off the name of a counter, and puts it on its series. */
  name: string;
  readonly help: string;
  readonly type: Sample['type'];
  readonly #values: () => readonly Value[];

  constructor(name: string, help: string, type: Sample['type'], values: () => readonly Value[]) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#values = values;
  }

  get(): Promise<object> {
    const { name, help, type } = this;
    return Promise.resolve({ name, help, type, aggregator: 'sum', values: this.#values() });
  }

  reset(): void {}
}
