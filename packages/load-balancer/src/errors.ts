import { WeirError } from '@weir/core';

const reasons = {
  ERR_WEIR_DRAIN_TIMEOUT: 'requests were still in flight when the time was up',
  ERR_WEIR_DRAIN_RESUMED: 'the server was put back into service',
  ERR_WEIR_DRAIN_CLOSED: 'the pool was closed',
} as const;

/** A server was not drained to the end. `code` says why: ERR_WEIR_DRAIN_TIMEOUT, _RESUMED or _CLOSED. */
export class DrainError extends WeirError {
  override readonly name: string = 'DrainError';

  constructor(code: keyof typeof reasons, url: string) {
    super(code, `draining ${url}: ${reasons[code]}`);
  }
}
