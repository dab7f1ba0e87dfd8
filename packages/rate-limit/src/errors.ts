import { WeirError } from '@weir/core';

/** A key that is no string. Nothing was charged. */
export class InvalidKeyError extends WeirError {
  override readonly name: string = 'InvalidKeyError';

  constructor(received: unknown) {
    super(
      'ERR_WEIR_INVALID_KEY',
      `a key must be a string, got ${received === null ? 'null' : typeof received}`,
    );
  }
}

/** A cost that is no whole number of at least 0. Nothing was charged. */
export class InvalidCostError extends WeirError {
  override readonly name: string = 'InvalidCostError';

  constructor(received: unknown) {
    super(
      'ERR_WEIR_INVALID_COST',
      `a cost must be an integer >= 0, got ${typeof received === 'number' ? received : typeof received}`,
    );
  }
}

/** A function of limits returned something else, or more different limits than are kept. Nothing was charged. */
export class InvalidLimitsError extends WeirError {
  override readonly name: string = 'InvalidLimitsError';

  constructor(message: string) {
    super('ERR_WEIR_INVALID_LIMITS', message);
  }
}

/** A store failed, or gave no answer in time. What it was told may have been done all the same. */
export class StoreError extends WeirError {
  override readonly name: string = 'StoreError';

  constructor(timeoutMs: number, cause?: unknown) {
    super(
      'ERR_WEIR_STORE',
      cause === undefined ? `the store gave no answer within ${timeoutMs} ms` : 'the store failed',
      { cause },
    );
  }
}
