import { WeirError } from '@weir/core';

/** The breaker refused the call; it was not made. */
export class BreakerOpenError extends WeirError {
  override readonly name: string = 'BreakerOpenError';
  /** Milliseconds until a call may pass; 0 if that depends on probes under way. */
  readonly retryAfterMs: number;

  constructor(breaker: string, retryAfterMs: number, options?: ErrorOptions) {
    super('ERR_WEIR_BREAKER_OPEN', `breaker ${breaker} refused the call`, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The call took longer than its deadline. It may still be running. */
export class BreakerDeadlineError extends WeirError {
  override readonly name: string = 'BreakerDeadlineError';

  constructor(ms: number) {
    super('ERR_WEIR_BREAKER_DEADLINE', `no answer within ${ms} ms`);
  }
}
