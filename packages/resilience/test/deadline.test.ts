import { fakeExchange } from '@weir/core/testing';
import { describe, expect, it } from 'vitest';
import { remainingDeadline } from '../src/index.ts';

describe('remainingDeadline', () => {
  const left = (value: string | undefined, max?: number) =>
    remainingDeadline(
      fakeExchange({ headers: value === undefined ? {} : { 'x-deadline-ms': value } }),
      max === undefined ? {} : { max },
    );

  it('is what the caller says, and never more than allowed', () => {
    expect([left('250'), left('0'), left('999999999'), left(undefined), left('5', 3)]).toEqual([
      250, 0, 60_000, 60_000, 3,
    ]);
  });

  it.each(['-5', '1e9', 'soon', '', '1.5', '9'.repeat(30)])('takes %j for no deadline', (value) => {
    expect(left(value)).toBe(60_000);
  });
});
