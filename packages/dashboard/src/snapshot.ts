import type { Clock, Component, Json, Sample } from '@weir/core';
import type { EventLog, LoggedEvent } from './event-log.ts';
import { judge, type Verdict } from './level.ts';
import type { Onsets } from './onsets.ts';

export type { LoggedEvent } from './event-log.ts';

/** One component as the page shows it. */
export interface Shown extends Verdict {
  readonly kind: string;
  readonly name: string;
  /** When this level began, wall clock, ms since 1970: by an event, or else when it was first seen. */
  readonly since: number;
  readonly state: { readonly [name: string]: Json };
  /** Its metrics, the same numbers as at `/metrics`; of a histogram the count, the sum and two quantiles. */
  readonly samples: readonly ShownSample[];
  /** What may be done to it from here. */
  readonly actions: readonly string[];
}

export interface ShownSample {
  readonly name: string;
  readonly type: Sample['type'];
  readonly labels: Sample['labels'];
  readonly value: number;
}

/** Everything at one moment. */
export interface Frame {
  /** Wall clock, ms since 1970. */
  readonly at: number;
  readonly components: readonly Shown[];
  /** The newest last. */
  readonly events: readonly LoggedEvent[];
}

/** How far frames must lie apart to be compared, ms; a little less than the feed's second. */
const comparable = 900;
/** At the first look there is nothing to compare with: what events told of so long ago still counts, ms. */
const lookBack = 5_000;

/** Takes frames, and remembers of the one before what the next is compared with. */
export class Camera {
  readonly #components: () => readonly Component[];
  readonly #log: EventLog;
  readonly #onsets: Onsets;
  readonly #clock: Clock;
  readonly #actions: boolean;
  #before: ReadonlyMap<string, Shown> = new Map();
  #beforeAt = Number.NEGATIVE_INFINITY;

  constructor(
    components: () => readonly Component[],
    log: EventLog,
    onsets: Onsets,
    clock: Clock,
    actions: boolean,
  ) {
    this.#components = components;
    this.#log = log;
    this.#onsets = onsets;
    this.#clock = clock;
    this.#actions = actions;
  }

  take(): Frame {
    const at = this.#clock.epoch();
    const components = this.#components().map((component) => this.#show(component, at));
    // Two looks within a second share what they are compared with, or each would see half of what has grown.
    const now = this.#clock.now();
    if (now - this.#beforeAt >= comparable) {
      this.#before = new Map(components.map((shown) => [identity(shown), shown]));
      this.#beforeAt = now;
    }
    return { at, components, events: this.#log.events.slice() };
  }

  #show(component: Component, at: number): Shown {
    const { kind, name } = component;
    const before = this.#before.get(identity(component));
    const actions = this.#actions ? Object.keys(component.actions ?? {}) : [];
    try {
      const state = component.snapshot();
      const samples = component.metrics().flatMap(flat);
      const grown = (metric: string, labels: Sample['labels'] = {}): number =>
        before === undefined ? 0 : sum(samples, metric, labels) - sum(before.samples, metric, labels);
      const heard = (what: string): boolean =>
        before === undefined && this.#onsets.lately(kind, name, what, lookBack);
      const verdict = judge({ kind, state, grown, heard });
      const began = this.#onsets.since(kind, name, verdict.level) ?? at;
      const since = before !== undefined && before.level === verdict.level ? before.since : began;
      return { kind, name, ...verdict, since, state, samples, actions };
    } catch (error) {
      // One component that fails to tell of itself must not hide the others.
      const why = error instanceof Error ? error.message : 'cannot be read';
      return { kind, name, level: 'bad', why, since: before?.since ?? at, state: {}, samples: [], actions };
    }
  }
}

export function identity({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind}\n${name}`;
}

function sum(samples: readonly ShownSample[], name: string, labels: Sample['labels']): number {
  let total = 0;
  for (const sample of samples) {
    if (sample.name !== name) continue;
    if (Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      total += sample.value;
  }
  return total;
}

function flat(sample: Sample): ShownSample[] {
  const { name, type, labels } = sample;
  if (sample.type !== 'histogram') return [{ name, type, labels, value: sample.value }];
  const count = sample.counts.reduce((total, each) => total + each, 0);
  const part = (suffix: string, value: number): ShownSample => ({
    name: `${name}_${suffix}`,
    type,
    labels,
    value,
  });
  return [
    part('count', count),
    part('sum', sample.sum),
    part('p50', quantile(sample.bounds, sample.counts, count, 0.5)),
    part('p99', quantile(sample.bounds, sample.counts, count, 0.99)),
  ];
}

/** The upper bound of the bucket in which the quantile lies; 0 without observations, the last bound for what is beyond. */
function quantile(bounds: readonly number[], counts: readonly number[], count: number, q: number): number {
  if (count === 0) return 0;
  let seen = 0;
  for (let i = 0; i < bounds.length; i += 1) {
    seen += counts[i] ?? 0;
    if (seen >= q * count) return bounds[i] as number;
  }
  return bounds.at(-1) ?? 0;
}
