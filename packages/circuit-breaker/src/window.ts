import { type Duration, duration, integer } from '@weir/core';

/** The last so many calls. Made by {@link countWindow}. */
export interface CountWindow {
  readonly kind: 'count';
  readonly size: number;
}

/** The calls of the last so many milliseconds. Made by {@link timeWindow}. */
export interface TimeWindow {
  readonly kind: 'time';
  readonly length: number;
}

/**
 * Judges by the last `size` calls, however long ago they were. A report costs no clock read. 2 bits a call.
 *
 * @param size calls, 1 to 1,000,000
 * @throws InvalidOptionError if it is not an integer in that range.
 */
export function countWindow(size: number): CountWindow {
  return { kind: 'count', size: integer(size, 'window', 1, 1_000_000) };
}

/**
 * Judges by the calls that ended within the last `length`, in ten steps: a call is forgotten when it is between nine
 * tenths of `length` and `length` old. A report costs one clock read.
 *
 * @param length 10 ms or more
 * @throws InvalidOptionError if it is shorter or no duration.
 */
export function timeWindow(length: Duration): TimeWindow {
  return { kind: 'time', length: duration(length, 'window', { min: 10 }) };
}
