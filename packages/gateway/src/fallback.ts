import type { Policy, Reply } from '@weir/core';

const instead = new Set([502, 503, 504]);

/** Answers with this in place of a 502, 503 or 504 from further in. */
export function fallback(reply: Reply): Policy {
  return {
    name: 'fallback',
    enter: (x) => void x.body?.tap({ head: ({ status }) => (instead.has(status) ? reply : false) }),
  };
}
