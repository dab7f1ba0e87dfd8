import type { Exchange } from '@weir/core';
import type { Address } from './cache-key.ts';
import { unref } from './unref.ts';
import { type HeaderReader, type Selection, selectionValues } from './vary.ts';

/**
 * What a waiting request is told:
 * - `look`: the answer is stored; look again, and do not wait a second time;
 * - `again`: it will be for others; start over;
 * - `alone`: go to the origin, by yourself;
 * - `lead`: the one that was on its way has gone; take its place;
 * - `gone`: your own client has gone.
 */
export type Verdict = 'look' | 'again' | 'alone' | 'lead' | 'gone';

interface Waiter {
  readonly x: Exchange;
  readonly wake: (verdict: Verdict) => void;
}

/** One request on its way to the origin, and those that wait for its answer. */
export class Flight {
  readonly address: Address;
  /** By which request headers its answer is selected, as far as one can tell before it comes. */
  selection: Selection | undefined;
  readonly waiters: Set<Waiter> = new Set();

  constructor(address: Address, selection: Selection | undefined) {
    this.address = address;
    this.selection = selection;
  }

  isFor(request: HeaderReader, { addressed }: Address): boolean {
    if (addressed !== this.address.addressed) return false;
    const { selection } = this;
    return selection === undefined || selectionValues(selection.names, request) === selection.values;
  }
}

/** Requests on their way, so that many for the same thing become one (RFC 9111, 4). */
export class Flights {
  readonly #byKey = new Map<string, Flight[]>();
  #waiting = 0;

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  find(address: Address, request: HeaderReader): Flight | undefined {
    return this.#byKey.get(address.key)?.find((flight) => flight.isFor(request, address));
  }

  /** @param selection by what its answer is selected, if that is known already */
  start(address: Address, selection?: Selection): Flight {
    const flight = new Flight(address, selection);
    const others = this.#byKey.get(address.key);
    if (others === undefined) this.#byKey.set(address.key, [flight]);
    else others.push(flight);
    return flight;
  }

  /** Waits for a flight, at most `ms`; whoever gives up takes the flight with it, so that nobody else joins. */
  join(flight: Flight, x: Exchange, ms: number): Promise<Verdict> {
    return new Promise((resolve) => {
      const { signal } = x;
      const settle = (verdict: Verdict): void => {
        if (!flight.waiters.delete(waiter)) return;
        this.#waiting -= 1;
        clearTimeout(timer);
        signal.removeEventListener('abort', gone);
        resolve(verdict);
      };
      const waiter: Waiter = { x, wake: settle };
      const gone = (): void => settle('gone');
      const timer = setTimeout(() => {
        this.#drop(flight);
        settle('alone');
      }, ms);
      unref(timer);
      signal.addEventListener('abort', gone);
      flight.waiters.add(waiter);
      this.#waiting += 1;
    });
  }

  /** The answer has come, or will not: everybody goes on. */
  settle(flight: Flight, verdict: 'look' | 'alone'): void {
    this.#drop(flight);
    for (const waiter of [...flight.waiters]) waiter.wake(verdict);
  }

  /** It is known now for which requests the answer will be: the others start over. */
  narrow(flight: Flight, selection: Selection): void {
    flight.selection = selection;
    for (const waiter of [...flight.waiters]) {
      if (!flight.isFor(waiter.x, flight.address)) waiter.wake('again');
    }
  }

  /** The client of the request on its way has gone: the one that has waited longest takes its place. */
  promote(flight: Flight): void {
    const [next] = flight.waiters;
    if (next === undefined) this.#drop(flight);
    else next.wake('lead');
  }

  #drop(flight: Flight): void {
    const flights = this.#byKey.get(flight.address.key);
    const at = flights?.indexOf(flight) ?? -1;
    if (flights === undefined || at === -1) return;
    flights.splice(at, 1);
    if (flights.length === 0) this.#byKey.delete(flight.address.key);
  }
}
