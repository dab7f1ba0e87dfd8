import { type Clock, systemClock } from '@weir/core';

/** The two ways a cache looks at its clock. */
export interface Time {
  /** For hits: may be late by a millisecond and by as long as the event loop is blocked. */
  recent(): number;
  exact(): number;
}

interface Host {
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly navigator?: { readonly userAgent?: string };
}

/** The time of an injected clock is read each time, that of the system frugally, where that is safe. */
export function timeOf(clock: Clock | undefined): Time {
  if (clock !== undefined) return { recent: () => clock.now(), exact: () => clock.now() };
  const host = globalThis as Host;
  // On Workers a timer dies with the request that set it, and the time would stand still; there a read is cheap.
  const timersLast =
    host.process?.versions?.node !== undefined && host.navigator?.userAgent !== 'Cloudflare-Workers';
  return timersLast ? new FrugalTime() : timeOf(systemClock);
}

/** Reads the system's clock once a millisecond: a read costs as much as the rest of a hit. Idle, it sets no timer. */
class FrugalTime implements Time {
  #now = 0;
  #known = false;
  readonly #forget = (): void => {
    this.#known = false;
  };

  recent(): number {
    return this.#known ? this.#now : this.#renew();
  }

  exact(): number {
    this.#now = systemClock.now();
    return this.#now;
  }

  #renew(): number {
    this.#known = true;
    const timer: unknown = setTimeout(this.#forget, 1);
    (timer as { unref?: () => void }).unref?.();
    return this.exact();
  }
}
