import { describe, expect, test } from 'vitest';
import {
  callable,
  fraction,
  InvalidOptionError,
  integer,
  knownOptions,
  oneOf,
  text,
  WeirError,
} from '../src/index.ts';

describe('option checks', () => {
  test('an unknown name is refused with those that are known', () => {
    expect(() => knownOptions({ limt: 1 }, ['limit', 'per'], 'tokenBucket')).toThrow(
      "option `limt` must be one that tokenBucket knows (limit, per), got 'limt'",
    );
    expect(() => knownOptions({ limit: 1 }, ['limit'], 'tokenBucket')).not.toThrow();
  });

  test.each([[null], [undefined], ['x'], [[]], [1]])('%s is no options object', (value) => {
    expect(() => knownOptions(value, [], 'tokenBucket')).toThrow(InvalidOptionError);
  });

  test.each([[0], [1.5], [Number.NaN], ['1'], [101], [2 ** 60], [Number.POSITIVE_INFINITY]])(
    '%s is no integer from 1 to 100',
    (value) => {
      expect(() => integer(value, 'limit', 1, 100)).toThrow(
        'option `limit` must be an integer >= 1 and <= 100',
      );
    },
  );

  test('both ends of a range of integers are in it', () => {
    expect([integer(1, 'x', 1, 100), integer(100, 'x', 1, 100)]).toEqual([1, 100]);
  });

  test.each([[0], [1.01], [Number.NaN], ['0.5']])('%s is no fraction', (value) => {
    expect(() => fraction(value, 'share')).toThrow('option `share` must be a number > 0 and <= 1');
  });

  test('the upper end of fractions is in, the lower is not', () => {
    expect(fraction(1, 'share')).toBe(1);
    expect(() => fraction(1, 'factor', 1, 10)).toThrow();
  });

  test('words, functions and texts', () => {
    expect(oneOf('a', 'mode', ['a', 'b'])).toBe('a');
    expect(() => oneOf('c', 'mode', ['a', 'b', false])).toThrow("must be one of 'a', 'b', false, got 'c'");
    expect(() => callable(1, 'key')).toThrow('option `key` must be a function, got 1');
    expect(() => text('', 'name')).toThrow("option `name` must be a non-empty string, got ''");
  });

  test('an error shows any value in a few characters', () => {
    const shown = (value: unknown): string =>
      new InvalidOptionError('x', 'right', value).message.split(', got ')[1] ?? '';
    expect(shown('y'.repeat(100))).toBe(`'${'y'.repeat(60)}…'`);
    expect(shown(Symbol('s'))).toBe('Symbol(s)');
    expect(shown(1n)).toBe('1n');
    expect(shown(Object.create(null))).toBe('an object');
    expect(shown(() => {})).toBe('function (anonymous)');
    expect(shown([1, 2])).toBe('an array of 2');
  });

  test('errors carry stable codes', () => {
    const error = new WeirError('ERR_WEIR_TEST', 'why', { cause: 'because' });
    expect(error).toMatchObject({ code: 'ERR_WEIR_TEST', cause: 'because', name: 'WeirError' });
    expect(new InvalidOptionError('x', 'right', 1)).toBeInstanceOf(WeirError);
  });
});
