import type { Json, Sample } from '@weir/core';
import type { Member } from './member.ts';

/** A server as snapshots show it. */
export function shown(member: Member, now: number): { readonly [name: string]: Json } {
  const { url, state, inFlight, picked, succeeded, failed, ignored, ejections } = member;
  return {
    url,
    state,
    hostname: member.hostname ?? null,
    zone: member.zone ?? null,
    priority: member.priority,
    weight: member.weight,
    effectiveWeight: member.effectiveWeight,
    inFlight,
    picked,
    succeeded,
    failed,
    ignored,
    failuresInARow: member.failuresInARow,
    ejections,
    ejectedForMs: member.ejected ? Math.max(0, member.returnsAt - now) : 0,
    latencyMs: member.latencyMs,
    checksPassed: member.checksPassed,
    checksFailed: member.checksFailed,
    checkError: member.checkError,
  };
}

export function memberSamples(pool: string, member: Member): Sample[] {
  const labels = { pool, upstream: member.url };
  const requests = 'Requests whose outcome was told, by outcome.';
  const checks = 'Active health checks, by result.';
  const sample = (what: string, help: string, value: number, further: Sample['labels'] = {}): Sample => ({
    name: `weir_load_balancer_${what}`,
    help,
    type: what.endsWith('_total') ? 'counter' : 'gauge',
    labels: { ...labels, ...further },
    value,
  });
  return [
    sample('requests_total', requests, member.succeeded, { outcome: 'ok' }),
    sample('requests_total', requests, member.failed, { outcome: 'failure' }),
    sample('requests_total', requests, member.ignored, { outcome: 'ignore' }),
    sample('in_flight', 'Requests in flight.', member.inFlight),
    sample('up', '1 if the upstream may be chosen.', member.state === 'up' ? 1 : 0),
    sample('effective_weight', 'Weight as it counts now.', member.effectiveWeight),
    sample('latency_seconds', 'Peak EWMA of response times; 0: not known.', member.latencyMs / 1000),
    sample('ejections_total', 'Times the upstream was left out for failing.', member.ejections),
    sample('checks_total', checks, member.checksPassed, { result: 'passed' }),
    sample('checks_total', checks, member.checksFailed, { result: 'failed' }),
  ];
}

export function poolSamples(pool: string, refused: number, panic: boolean): Sample[] {
  const labels = { pool };
  return [
    {
      name: 'weir_load_balancer_refused_total',
      help: 'Requests for which there was no upstream.',
      type: 'counter',
      labels,
      value: refused,
    },
    {
      name: 'weir_load_balancer_panic',
      help: '1 if so few upstreams are up that all are used.',
      type: 'gauge',
      labels,
      value: panic ? 1 : 0,
    },
  ];
}
