import { WeirError } from '@weir/core';

/** The call took longer than it was given. It may still be running. */
export class CallTimeoutError extends WeirError {
  override readonly name: string = 'CallTimeoutError';

  constructor(ms: number) {
    super('ERR_WEIR_TIMEOUT', `no answer within ${ms} ms`);
  }
}

/** As many calls as allowed are under way, and as many as allowed are waiting. The call was not made. */
export class BulkheadFullError extends WeirError {
  override readonly name: string = 'BulkheadFullError';

  constructor(bulkhead: string) {
    super('ERR_WEIR_BULKHEAD_FULL', `bulkhead ${bulkhead} is full`);
  }
}

/** The service refuses so many calls that this one was not made. */
export class ThrottledError extends WeirError {
  override readonly name: string = 'ThrottledError';

  constructor(throttle: string) {
    super('ERR_WEIR_THROTTLED', `throttle ${throttle} held the call back`);
  }
}

/** The limiter refused the call. It was not made. */
export class LimitedError extends WeirError {
  override readonly name: string = 'LimitedError';
  /** Milliseconds until a call may pass. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super('ERR_WEIR_LIMITED', 'the limit on outbound calls is used up');
    this.retryAfterMs = retryAfterMs;
  }
}

/** The pool has no upstream to offer. The call was not made. */
export class NoUpstreamError extends WeirError {
  override readonly name: string = 'NoUpstreamError';

  constructor() {
    super('ERR_WEIR_NO_UPSTREAM', 'the pool offers no upstream');
  }
}
