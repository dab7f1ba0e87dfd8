import type { Strategy } from './strategy.ts';

/** Each server in turn. Cost: O(1), no look at load; for servers that are alike and requests that are alike. */
export function roundRobin(): Strategy {
  return {
    name: 'round-robin',
    start() {
      let next = 0;
      return {
        pick(upstreams) {
          if (next >= upstreams.length) next = 0;
          return next++;
        },
      };
    },
  };
}
