import { type Policy, problem } from '@weir/core';

const tooLarge = problem(413, { detail: 'The body is too large.' });
const unknown = problem(411, { detail: 'The length of the body must be told.' });

/**
 * Refuses bodies that are too large before anything of them is read. A body whose length is not told is refused with 411:
 * it could be found out only after half of it had gone upstream.
 */
export function bodyLimit(maxBytes: number): Policy {
  return {
    name: 'body-limit',
    enter(x) {
      const length = x.header('content-length');
      if (length !== undefined) return Number(length) > maxBytes ? tooLarge : undefined;
      return x.header('transfer-encoding') === undefined ? undefined : unknown;
    },
  };
}
