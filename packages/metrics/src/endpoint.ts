import { type Policy, problem } from '@weir/core';
import type { Registry } from 'prom-client';

/**
 * Answers every request that it is mounted for with the metrics of a registry, as text.
 *
 * @example
 * app.use('/metrics', weir(metricsEndpoint(collect([limiter, pool]))));
 */
export function metricsEndpoint(register: Registry): Policy {
  return {
    name: 'metrics',
    async enter(x) {
      if (x.method !== 'GET' && x.method !== 'HEAD') {
        return problem(405, { headers: ['allow', 'GET, HEAD'] });
      }
      const body = await register.metrics();
      return {
        status: 200,
        kind: 'ok',
        headers: ['content-type', register.contentType, 'cache-control', 'no-store'],
        body,
      };
    },
  };
}
