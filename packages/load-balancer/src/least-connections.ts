import type { Strategy } from './strategy.ts';

/**
 * The server with the fewest requests in flight. Ties are broken in rotation: with the first one always winning, many
 * balancers that start together would all rush to the same server. Cost: O(n).
 */
export function leastConnections(): Strategy {
  return {
    name: 'least-connections',
    start() {
      let after = 0;
      return {
        pick(upstreams) {
          const { length } = upstreams;
          if (after >= length) after = 0;
          let best = after;
          let fewest = Number.POSITIVE_INFINITY;
          for (let step = 0, i = after; step < length; step += 1, i = i + 1 === length ? 0 : i + 1) {
            const inFlight = upstreams[i]?.inFlight ?? 0;
            if (inFlight < fewest) {
              fewest = inFlight;
              best = i;
              if (inFlight === 0) break;
            }
          }
          after = best + 1;
          return best;
        },
      };
    },
  };
}
