import type { Clock } from '@weir/core';

/** A response that may not be the last word. Never leaves the package. */
export class BadResponse extends Error {
  readonly response: Response;
  readonly retryAfterMs: number;

  constructor(response: Response, retryAfterMs: number) {
    super(`status ${response.status}`);
    this.response = response;
    this.retryAfterMs = retryAfterMs;
  }
}

/** `Retry-After` as a time from now, ms, 0 if there is none (RFC 9110, section 10.2.3: seconds or a date). */
export function retryAfterMs(response: Response, clock: Clock): number {
  const value = response.headers.get('retry-after');
  if (value === null) return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? 0 : Math.max(0, at - clock.epoch());
}

/** Lets go of the connection that an unread body holds. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => {});
}

/** Whether a body can be sent again. A stream cannot, and the body of a `Request` is one. */
export const isReplayable = (body: unknown): boolean =>
  body === undefined ||
  body === null ||
  typeof body === 'string' ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  body instanceof FormData;
