import type { Json } from '@weir/core';
import { describe, expect, test } from 'vitest';
import { judge } from '../src/level.ts';

const verdict = (kind: string, state: { [name: string]: Json }, grown: { [name: string]: number } = {}) =>
  judge({
    kind,
    state,
    grown: (name, labels = {}) => grown[[name, ...Object.values(labels)].join(' ')] ?? 0,
    heard: () => false,
  });

const upstreams = (...states: string[]) => ({ upstreams: states.map((state) => ({ state })) });

describe('a component is judged by what it does to users', () => {
  test.each([
    ['breaker', { state: 'closed', forced: false }, {}, 'ok', ''],
    ['breaker', { state: 'open', forced: false }, {}, 'bad', 'open'],
    ['breaker', { state: 'open', forced: true }, {}, 'bad', 'forced open'],
    ['breaker', { state: 'half-open' }, {}, 'warn', 'probing'],
    ['breaker', { state: 'closed', forced: true }, {}, 'warn', 'forced closed'],
    ['breakers', { open: 0, 'half-open': 0 }, {}, 'ok', ''],
    ['breakers', { open: 2 }, {}, 'bad', '2 open'],
    ['breakers', { open: 0, 'half-open': 1 }, {}, 'warn', 'probing'],
    ['pool', upstreams('up', 'up'), {}, 'ok', ''],
    ['pool', upstreams('up', 'down', 'ejected'), {}, 'bad', '2 of 3 out'],
    ['pool', upstreams('up', 'draining'), {}, 'warn', '1 draining'],
    ['pool', { upstreams: [] }, {}, 'bad', 'no upstream'],
    ['limiter', {}, {}, 'ok', ''],
    ['limiter', {}, { 'weir_rate_limit_decisions_total refused': 3 }, 'warn', 'refusing'],
    ['limiter', {}, { 'weir_rate_limit_decisions_total shadow_refused': 1 }, 'warn', 'would refuse'],
    ['limiter', {}, { weir_rate_limit_store_errors_total: 1 }, 'bad', 'store failing'],
    ['cache', {}, {}, 'ok', ''],
    ['cache', { bus: 'down' }, {}, 'bad', 'bus down'],
    ['cache', { bus: 'up' }, { weir_cache_load_errors_total: 1 }, 'bad', 'loads failing'],
    ['cache', {}, { weir_cache_faults_total: 1 }, 'warn', 'remote tier failing'],
    ['cache', { bus: 'up' }, { weir_cache_http_faults_total: 1 }, 'bad', 'others not told'],
    ['proxy', {}, { 'weir_proxy_requests_total failed': 1 }, 'bad', 'requests failing'],
    ['proxy', {}, {}, 'ok', ''],
    ['route', {}, {}, 'ok', ''],
    ['route', {}, { 'weir_gateway_requests_total error': 1 }, 'bad', 'requests failing'],
    ['route', {}, { 'weir_gateway_requests_total rejected': 1 }, 'warn', 'refusing'],
    ['redis', { link: 'ready', breaker: 'closed' }, {}, 'ok', ''],
    ['redis', { link: 'ready', breaker: 'open' }, {}, 'bad', 'not answering'],
    ['redis', { link: 'reconnecting', breaker: 'closed' }, {}, 'bad', 'reconnecting'],
    ['discovery', { error: null }, {}, 'ok', ''],
    ['discovery', { error: 'ENOTFOUND' }, {}, 'warn', 'look-up failing'],
    ['something of yours', { state: 'open' }, {}, 'ok', ''],
    ['__proto__', {}, {}, 'ok', ''],
  ])('%s %j with %j is %s: %s', (kind, state, grown, level, why) => {
    expect(verdict(kind, state as never, grown as never)).toEqual({ level, why });
  });
});
