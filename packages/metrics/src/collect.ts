import {
  type Component,
  type HistogramSample,
  InvalidOptionError,
  knownOptions,
  type Sample,
  type ValueSample,
} from '@weir/core';
import { Registry } from 'prom-client';
import { Family, type Value } from './internal/family.ts';
import { showProcess } from './internal/process-metrics.ts';

/** Where samples go. */
export interface CollectOptions {
  /** An own registry, to stand beside other metrics of the application. @default a new one */
  readonly register?: Registry;
  /**
   * Whether to show prom-client's metrics of the process beside: CPU, memory, event loop, garbage collection.
   *
   * @default false
   */
  readonly process?: boolean;
}

/**
 * Shows components to Prometheus. Nothing is counted twice and nothing is counted here: each scrape reads the plain
 * counters that the components keep anyway.
 *
 * Called again with the same registry it adds its components to those before. A function instead of a list is read at
 * each scrape, for services whose components come and go.
 *
 * @throws InvalidOptionError if an option is unknown or no boolean.
 *
 * @example
 * const register = collect([limiter, pool, breaker]);
 * app.get('/metrics', async (c) => c.text(await register.metrics()));
 */
export function collect(
  components: readonly Component[] | (() => readonly Component[]),
  options: CollectOptions = {},
): Registry {
  knownOptions(options, ['register', 'process'], 'collect');
  const { register = new Registry(), process = false } = options;
  if (typeof process !== 'boolean') throw new InvalidOptionError('process', 'true or false', process);
  if (process) showProcess(register);
  let shown = collections.get(register);
  if (shown === undefined) collections.set(register, (shown = new Collection(register)));
  shown.add(sourceOf(components));
  return register;
}

function sourceOf(
  components: readonly Component[] | (() => readonly Component[]),
): () => readonly Component[] {
  if (typeof components === 'function') return components;
  const list = [...components];
  return () => list;
}

/** The components that one registry shows. */
class Collection {
  readonly #register: Registry;
  readonly #sources: (() => readonly Component[])[] = [];
  readonly #known = new Set<string>();
  #scrape: Map<string, Found> | undefined;

  constructor(register: Registry) {
    this.#register = register;
  }

  add(source: () => readonly Component[]): void {
    this.#sources.push(source);
    this.#registerNew(this.#read());
  }

  #read(): Map<string, Found> {
    return read(this.#sources.flatMap((source) => source()));
  }

  /** All families of one scrape are asked in one go, so the components behind them need answer only once. */
  #samples(): Map<string, Found> {
    if (this.#scrape === undefined) {
      this.#scrape = this.#read();
      queueMicrotask(() => (this.#scrape = undefined));
      this.#registerNew(this.#scrape);
    }
    return this.#scrape;
  }

  /** A family that comes up during a scrape is shown from the next one on. */
  #registerNew(found: Map<string, Found>): void {
    for (const [name, { help, type }] of found) {
      if (this.#known.has(name)) continue;
      this.#known.add(name);
      const values = (): readonly Value[] => this.#samples().get(name)?.values ?? [];
      this.#register.registerMetric(new Family(name, help, type, values) as never);
    }
  }
}

/** What each registry shows already. */
const collections = new WeakMap<Registry, Collection>();

interface Found {
  readonly help: string;
  readonly type: Sample['type'];
  readonly values: Value[];
}

function read(components: readonly Component[]): Map<string, Found> {
  const families = new Map<string, Found>();
  const add = (sample: Sample): void => {
    const { name, help, type } = sample;
    let family = families.get(name);
    if (family === undefined) families.set(name, (family = { help, type, values: [] }));
    family.values.push(...(sample.type === 'histogram' ? buckets(sample) : [single(sample)]));
  };
  // Always there, so that every scrape asks, and new families are discovered.
  add({
    name: 'weir_metrics_components',
    help: 'Components shown.',
    type: 'gauge',
    labels: {},
    value: components.length,
  });
  for (const component of components) for (const sample of component.metrics()) add(sample);
  return families;
}

function single({ labels, value }: ValueSample): Value {
  return { labels, value };
}

/** A histogram as Prometheus wants it: cumulative buckets, the sum, the count. */
function buckets({ name, labels, bounds, counts, sum }: HistogramSample): Value[] {
  let count = 0;
  const series = [...bounds, '+Inf'].map((le, i) => {
    count += counts[i] ?? 0;
    return { labels: { le, ...labels }, value: count, metricName: `${name}_bucket` };
  });
  return [
    ...series,
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}
