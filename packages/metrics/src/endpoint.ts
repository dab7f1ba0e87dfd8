import { type Policy, problem } from '@weir/core';
import type { Registry, RegistryContentType } from 'prom-client';
import { preferred } from './internal/accept.ts';
import { exposition } from './internal/exposition.ts';

/**
 * Answers every request that it is mounted for with the metrics of a registry: in the text format or as OpenMetrics,
 * whichever `Accept` prefers; in the registry's own if it does not say.
 *
 * @example
 * app.use('/metrics', weir(metricsEndpoint(collect([limiter, pool]))));
 */
export function metricsEndpoint(register: Registry<RegistryContentType>): Policy {
  return {
    name: 'metrics',
    async enter(x) {
      if (x.method !== 'GET' && x.method !== 'HEAD') {
        return problem(405, { headers: ['allow', 'GET, HEAD'] });
      }
      const format = preferred(x.header('accept'), register.contentType);
      const body = await exposition(register, format);
      return {
        status: 200,
        kind: 'ok',
        headers: ['content-type', format, 'cache-control', 'no-store', 'vary', 'accept'],
        body,
      };
    },
  };
}
