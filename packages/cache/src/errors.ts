import { WeirError } from '@weir/core';

/** A loader was given up at the hard timeout. It may still be running. */
export class LoadTimeoutError extends WeirError {
  override readonly name: string = 'LoadTimeoutError';

  constructor(cache: string, ms: number) {
    super('ERR_WEIR_CACHE_LOAD_TIMEOUT', `${cache}: the loader gave no answer within ${ms} ms`);
  }
}

/** A batch loader gave something else than one value for each key. */
export class BatchLoadError extends WeirError {
  override readonly name: string = 'BatchLoadError';

  constructor(cache: string, keys: number, received: unknown) {
    const got = Array.isArray(received) ? `${received.length} values` : `a ${typeof received}`;
    super('ERR_WEIR_CACHE_BATCH', `${cache}: the batch loader was given ${keys} keys and gave ${got}`);
  }
}

/** A write or an invalidation has not reached the remote tier or the bus: other processes may serve the old value. */
export class RemoteError extends WeirError {
  override readonly name: string = 'RemoteError';

  constructor(cache: string, what: string, cause: unknown) {
    super('ERR_WEIR_CACHE_REMOTE', `${cache}: ${what} failed`, { cause });
  }
}

/** A key, a tag or the name of a namespace is not a string. */
export class CacheKeyError extends WeirError {
  override readonly name: string = 'CacheKeyError';

  constructor(what: string, received: unknown) {
    super(
      'ERR_WEIR_CACHE_KEY',
      `${what} must be a string, got ${received === null ? 'null' : typeof received}`,
    );
  }
}
