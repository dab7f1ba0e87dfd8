import type { Exchange, Leave, Outcome, Policy } from '@weir/core';

/** A policy that keeps what it was told. */
export interface Spy extends Policy {
  readonly outcomes: readonly Outcome[];
  /** The first outcome, as soon as there is one. */
  left(): Promise<Outcome>;
}

/** A policy that passes, after whatever `enter` does, and keeps how its exchanges ended. */
export function spy(
  name: string,
  options: { readonly until?: 'head' | 'end'; readonly enter?: (x: Exchange) => unknown } = {},
): Spy {
  const { until = 'end', enter } = options;
  const outcomes: Outcome[] = [];
  let told: (outcome: Outcome) => void = () => {};
  const first = new Promise<Outcome>((resolve) => {
    told = resolve;
  });
  const leave: Leave = (outcome) => {
    outcomes.push(outcome);
    told(outcome);
  };
  return {
    name,
    until,
    outcomes,
    left: () => first,
    enter(x) {
      const result = enter?.(x);
      return result instanceof Promise ? result.then(() => leave) : leave;
    },
  };
}

/** A promise and the function that fulfils it. */
export function moment(): { readonly reached: Promise<void>; reach(): void } {
  let reach = (): void => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  return { reached, reach };
}

/** Lets everything go on that is ready to. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
