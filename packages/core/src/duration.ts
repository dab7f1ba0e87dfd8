import { InvalidOptionError } from './errors.ts';

/** A length of time: a number of milliseconds, or a number with a unit. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Reads a {@link Duration} option as milliseconds.
 *
 * @param value what the user gave
 * @param option the option's name, for the error
 * @param range allowed values in ms, both ends included; by default more than 0 and finite
 * @throws InvalidOptionError if it is not a duration or out of range.
 *
 * @example
 * duration('10s', 'per'); // 10000
 */
export function duration(
  value: unknown,
  option: string,
  range: { readonly min?: number; readonly max?: number } = {},
): number {
  const { min = Number.MIN_VALUE, max = Number.MAX_VALUE } = range;
  const ms = toMilliseconds(value);
  if (ms >= min && ms <= max) return ms;
  throw new InvalidOptionError(
    option,
    `a duration such as 250, '250ms', '10s' or '5m' ${words(min, max)}`,
    value,
  );
}

function toMilliseconds(value: unknown): number {
  if (typeof value === 'number') return value;
  const match = typeof value === 'string' ? pattern.exec(value) : null;
  return match === null ? Number.NaN : Number(match[1]) * unit[match[2] as keyof typeof unit];
}

function words(min: number, max: number): string {
  const low = min === Number.MIN_VALUE ? 'above 0' : `of at least ${min} ms`;
  return max === Number.MAX_VALUE ? low : `${low} and at most ${max} ms`;
}
