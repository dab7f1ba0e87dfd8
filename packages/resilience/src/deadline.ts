import { type Duration, duration, type Exchange, knownOptions, text } from '@weir/core';

export interface DeadlineOptions {
  /** Lower-case name of the header, which holds milliseconds. @default 'x-deadline-ms' */
  readonly header?: string;
  /** More than this is never granted, whatever the caller says. @default '1m' */
  readonly max?: Duration;
}

const DEADLINE_HEADER = 'x-deadline-ms';

/**
 * How long the caller of this request still waits for the answer, ms: what its header says, or `max`. 0 if its time is
 * up. Taken as a time left and not as a time of day, so that clocks need not agree; the time in transit is not known.
 *
 * @throws InvalidOptionError if an option is unknown or out of range.
 *
 * @example
 * const answer = await call(url, { deadline: remainingDeadline(exchangeOf(request)) });
 */
export function remainingDeadline(x: Exchange, options: DeadlineOptions = {}): number {
  knownOptions(options, ['header', 'max'], 'remainingDeadline');
  const max = duration(options.max ?? 60_000, 'max');
  const given = x.header(text(options.header ?? DEADLINE_HEADER, 'header'));
  return given !== undefined && /^\d{1,15}$/.test(given) ? Math.min(Number(given), max) : max;
}
