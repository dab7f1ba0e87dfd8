import { InvalidOptionError } from './errors.ts';

/**
 * Refuses anything but a plain options object with known names.
 *
 * @param where what is being constructed, for the error
 * @throws InvalidOptionError naming the unknown option and the allowed ones.
 */
export function knownOptions(options: unknown, allowed: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionError(where, 'given an options object', options);
  }
  for (const name of Object.keys(options)) {
    if (!allowed.includes(name)) {
      throw new InvalidOptionError(name, `one that ${where} knows (${allowed.join(', ')})`, name);
    }
  }
}

/**
 * Reads an integer option.
 *
 * @throws InvalidOptionError if it is not an integer from `min` to `max`.
 */
export function integer(
  value: unknown,
  option: string,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  const upper = max === Number.MAX_SAFE_INTEGER ? '' : ` and <= ${max}`;
  throw new InvalidOptionError(option, `an integer >= ${min}${upper}`, value);
}

/**
 * Reads a fraction option: a finite number with `above` < value <= `max`.
 *
 * @throws InvalidOptionError otherwise.
 */
export function fraction(value: unknown, option: string, above = 0, max = 1): number {
  if (typeof value === 'number' && value > above && value <= max) return value;
  throw new InvalidOptionError(option, `a number > ${above} and <= ${max}`, value);
}

/**
 * Reads an option that is one of a few words.
 *
 * @throws InvalidOptionError otherwise.
 */
export function oneOf<T>(value: unknown, option: string, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  const words = allowed.map((each) => (typeof each === 'string' ? `'${each}'` : String(each)));
  throw new InvalidOptionError(option, `one of ${words.join(', ')}`, value);
}

/**
 * Reads an option that is a function.
 *
 * @throws InvalidOptionError otherwise.
 */
export function callable<T>(value: T, option: string): T {
  if (typeof value === 'function') return value;
  throw new InvalidOptionError(option, 'a function', value);
}

/**
 * Reads an option that is a non-empty string.
 *
 * @throws InvalidOptionError otherwise.
 */
export function text(value: unknown, option: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new InvalidOptionError(option, 'a non-empty string', value);
}
