import { describe, expect, test } from 'vitest';
import { duration } from '../src/index.ts';

describe('duration', () => {
  test.each([
    [250, 250],
    [0.5, 0.5],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['60d', 5_184_000_000],
  ])('reads %s as %d ms', (value, ms) => {
    expect(duration(value, 'per')).toBe(ms);
  });

  test.each([
    '10 parsecs',
    '',
    's',
    '-1s',
    '1e3s',
    '0x10s',
    ' 1s',
    '1s ',
    '1 s',
    '1S',
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    {},
    [],
    10n,
  ])('refuses %s, and names the option', (value) => {
    expect(() => duration(value, 'per')).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option: 'per' }),
    );
  });

  test('keeps to a range, both ends included', () => {
    const range = { min: 10, max: 20 };
    expect([duration(10, 'x', range), duration('20ms', 'x', range)]).toEqual([10, 20]);
    expect(() => duration(9.9, 'x', range)).toThrow('of at least 10 ms and at most 20 ms, got 9.9');
    expect(() => duration(20.1, 'x', range)).toThrow();
    expect(duration(0, 'x', { min: 0 })).toBe(0);
  });
});
