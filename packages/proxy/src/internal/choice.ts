import type { Exchange } from '@weir/core';
import { acquireFor, type Lease } from '@weir/load-balancer';
import type { Forwarder } from './forwarder.ts';
import type { Permit } from './try.ts';

/** An upstream for one try, and the place that its breaker gave. */
export interface Choice {
  readonly lease: Lease;
  readonly permit: Permit | undefined;
}

/** Chooses an upstream that was not tried and whose breaker, asked last, admits the request. */
export function choose(
  x: Exchange,
  { pool, settings: { breakers }, closed }: Forwarder,
  key: string | undefined,
  tried: readonly string[],
): Choice | undefined {
  if (closed) return undefined;
  if (breakers === undefined) {
    const lease = acquireFor(pool, x, { key, exclude: tried });
    return lease && { lease, permit: undefined };
  }
  let permit: Permit | undefined;
  const lease = acquireFor(pool, x, {
    key,
    exclude: tried,
    admit({ url }) {
      const breaker = breakers.get(url);
      const number = breaker.tryAcquire();
      permit = { breaker, number };
      return number !== 0;
    },
  });
  return lease && { lease, permit };
}

/** Nothing is sent after all. */
export function giveBack({ lease, permit }: Choice): void {
  permit?.breaker.ignore(permit.number);
  lease.release({ outcome: 'ignore' });
}
