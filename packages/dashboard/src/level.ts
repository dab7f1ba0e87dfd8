import type { Json, Sample } from '@weir/core';

/** How a component is doing: as it should, to be watched, or hurting users now. */
export type Level = 'ok' | 'warn' | 'bad';

/** A level, and why in a few words; '' when all is well. */
export interface Verdict {
  readonly level: Level;
  readonly why: string;
}

/** What a verdict is made from: the state of a component, and how its counters moved since the last look. */
export interface Evidence {
  readonly kind: string;
  readonly state: { readonly [name: string]: Json };
  /** How much the counters with this name and these labels have grown; 0 at the first look. */
  grown(name: string, labels?: Sample['labels']): number;
  /** Whether an event has told of this lately; asked at the first look, at which nothing has grown. */
  heard(what: 'refusing' | 'would refuse' | 'store failing'): boolean;
}

const fine: Verdict = { level: 'ok', why: '' };
const warn = (why: string): Verdict => ({ level: 'warn', why });
const bad = (why: string): Verdict => ({ level: 'bad', why });

/** What each kind of component is judged by. A kind that is not here is never red. */
const judges: { readonly [kind: string]: (evidence: Evidence) => Verdict } = {
  breaker({ state }) {
    if (state.state === 'open') return bad(state.forced ? 'forced open' : 'open');
    if (state.state === 'half-open') return warn('probing');
    return state.forced ? warn('forced closed') : fine;
  },
  breakers({ state }) {
    const open = number(state.open);
    if (open > 0) return bad(`${open} open`);
    return number(state['half-open']) > 0 ? warn('probing') : fine;
  },
  pool({ state }) {
    const upstreams = Array.isArray(state.upstreams) ? (state.upstreams as { state?: Json }[]) : [];
    const count = (...states: string[]): number =>
      upstreams.filter((upstream) => states.includes(String(upstream.state))).length;
    const out = count('down', 'ejected');
    if (upstreams.length === 0) return bad('no upstream');
    if (out > 0) return bad(`${out} of ${upstreams.length} out`);
    const draining = count('draining');
    return draining > 0 ? warn(`${draining} draining`) : fine;
  },
  limiter({ grown, heard }) {
    const decided = (outcome: string): boolean => grown('weir_rate_limit_decisions_total', { outcome }) > 0;
    if (grown('weir_rate_limit_store_errors_total') > 0 || heard('store failing'))
      return bad('store failing');
    if (decided('refused') || heard('refusing')) return warn('refusing');
    return decided('shadow_refused') || heard('would refuse') ? warn('would refuse') : fine;
  },
  cache({ state, grown }) {
    if (state.bus === 'down') return bad('bus down');
    if (grown('weir_cache_load_errors_total') > 0) return bad('loads failing');
    if (grown('weir_cache_http_faults_total') > 0) return bad('others not told');
    return grown('weir_cache_faults_total') > 0 ? warn('remote tier failing') : fine;
  },
  proxy({ grown }) {
    return grown('weir_proxy_requests_total', { result: 'failed' }) > 0 ? bad('requests failing') : fine;
  },
  route({ grown }) {
    if (grown('weir_gateway_requests_total', { outcome: 'error' }) > 0) return bad('requests failing');
    return grown('weir_gateway_requests_total', { outcome: 'rejected' }) > 0 ? warn('refusing') : fine;
  },
  redis({ state }) {
    if (state.breaker === 'open' || state.breaker === 'half-open') return bad('not answering');
    return state.link === undefined || state.link === 'ready' ? fine : bad(String(state.link));
  },
  discovery({ state }) {
    return state.error === null || state.error === undefined ? fine : warn('look-up failing');
  },
};

export function judge(evidence: Evidence): Verdict {
  return Object.hasOwn(judges, evidence.kind) ? (judges[evidence.kind]?.(evidence) ?? fine) : fine;
}

function number(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0;
}
