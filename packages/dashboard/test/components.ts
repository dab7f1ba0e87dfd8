import type { Component, Json, Sample } from '@weir/core';

/** A component that says what the test wants it to say. */
export function component(
  kind: string,
  name: string,
  state: { [name: string]: Json } = {},
  further: { samples?: Sample[]; actions?: Component['actions'] } = {},
): Component & { state: { [name: string]: Json }; samples: Sample[] } {
  const made = {
    kind,
    name,
    state,
    samples: further.samples ?? [],
    actions: further.actions,
    snapshot: () => made.state,
    metrics: () => made.samples,
  };
  return made;
}

export function counter(name: string, value: number, labels: Sample['labels'] = {}): Sample {
  return { name, help: 'Told.', type: 'counter', labels, value };
}
