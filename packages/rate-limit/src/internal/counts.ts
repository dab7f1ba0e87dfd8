import type { Sample } from '@weir/core';
import type { Decision } from '../decision.ts';

/** Plain counters, read at scrape. */
export class Counts {
  allowed = 0;
  refused = 0;
  /** Refused in shadow mode: let pass all the same. */
  shadowRefused = 0;

  count(decision: Decision, shadow: boolean | undefined): Decision {
    if (decision.allowed) this.allowed += 1;
    else if (shadow === true) this.shadowRefused += 1;
    else this.refused += 1;
    return decision;
  }

  samples(limiter: string): Sample[] {
    const { allowed, refused, shadowRefused } = this;
    const outcomes = { allowed, refused, shadow_refused: shadowRefused };
    return Object.entries(outcomes).map(([outcome, value]) => ({
      ...sample('decisions_total', 'Decisions by outcome; a shadow refusal was let pass.', limiter, value),
      labels: { limiter, outcome },
    }));
  }
}

/** A counter if the name says so (`_total`), else a gauge. */
export function sample(what: string, help: string, limiter: string, value: number): Sample {
  const type = what.endsWith('_total') ? 'counter' : 'gauge';
  return { name: `weir_rate_limit_${what}`, help, type, labels: { limiter }, value };
}
