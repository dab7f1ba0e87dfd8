import { type Duration, duration } from './duration.ts';

/** A source of time. Inject one to make a component testable. */
export interface Clock {
  /** Milliseconds since an arbitrary fixed origin; fractional, never going backwards. 0 is a legal time. */
  now(): number;
  /** Milliseconds since 1970 by the wall clock, which may jump. Only for what must agree with other machines. */
  epoch(): number;
}

/** The process's own clocks: `performance.now()` and `Date.now()`. A read costs about 60 to 80 ns on most servers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  epoch: () => Date.now(),
};

/** A clock that owns a timer. */
export interface CoarseClock extends Clock, Disposable {
  close(): void;
}

/**
 * A clock that is read from a variable, renewed by one unref'd timer. A read costs about 1 ns and is late by up to
 * `resolution`, or by as long as the event loop is blocked. The timer starts at the first read.
 *
 * @throws InvalidOptionError if `resolution` is not between 1 ms and 1 s.
 */
export function coarseClock(
  options: {
    /** How often the time is renewed. 1 ms to 1 s. @default 5 */
    readonly resolution?: Duration;
    /** What is read. @default systemClock */
    readonly clock?: Clock;
  } = {},
): CoarseClock {
  const { clock = systemClock } = options;
  const resolution = duration(options.resolution ?? 5, 'resolution', { min: 1, max: 1000 });
  let timer: ReturnType<typeof setInterval> | undefined;
  let now = 0;
  let epoch = 0;

  const renew = (): void => {
    now = clock.now();
    epoch = clock.epoch();
  };
  const start = (): void => {
    renew();
    timer = setInterval(renew, resolution);
    // Node returns an object, browsers a number; only the former keeps a process alive.
    (timer as { unref?: () => void }).unref?.();
  };
  const close = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    now() {
      if (timer === undefined) start();
      return now;
    },
    epoch() {
      if (timer === undefined) start();
      return epoch;
    },
    close,
    [Symbol.dispose]: close,
  };
}
