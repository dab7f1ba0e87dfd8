import { problem, type Reply } from '@weir/core';

/** Built once: every refusal is the same. */
export const overloaded = (detail: string, retryAfter = 1): Reply =>
  problem(503, { detail, headers: ['retry-after', String(retryAfter)] });
