import { type Exchange, problem, type Reply } from '@weir/core';
import type { Decision } from './decision.ts';
import { inSeconds } from './headers.ts';

/** Of the HTTP problem types that IANA registers (draft-ietf-httpapi-ratelimit-headers-11, section 6). */
const types = 'https://iana.org/assignments/http-problem-types#';

/**
 * The replies to refused requests. Each body is built once for the limits that are exceeded, whatever the number of
 * requests; the list of headers again only when Retry-After changes.
 */
export function refusals(): (x: Exchange, decision: Decision) => Reply {
  const prepared = new Map<string, Reply>();
  let last: Reply | undefined;
  let lastBody: Reply | undefined;
  let lastSeconds = -1;
  return (_x, decision) => {
    const exceeded = names(decision);
    let body = prepared.get(exceeded);
    if (body === undefined) {
      // Names come from limits, whose number is bounded; a function that makes them up must not fill the memory.
      if (prepared.size >= 1000) prepared.clear();
      body = build(decision);
      prepared.set(exceeded, body);
    }
    if (decision.retryAfterMs === Number.POSITIVE_INFINITY) return body;
    const seconds = inSeconds(decision.retryAfterMs);
    if (last === undefined || body !== lastBody || seconds !== lastSeconds) {
      lastBody = body;
      lastSeconds = seconds;
      last = { ...body, headers: [...(body.headers ?? []), 'retry-after', String(seconds)] };
    }
    return last;
  };
}

function names(decision: Decision): string {
  let text = decision.policy;
  for (const { policy, retryAfterMs } of decision.limits) if (retryAfterMs > 0) text += `\n${policy}`;
  return text;
}

function build({ policy, limits }: Decision): Reply {
  if (policy === 'store-error') {
    return problem(503, {
      type: `${types}temporary-reduced-capacity`,
      title: 'Request cannot be satisfied due to temporary server capacity constraints',
    });
  }
  if (policy === 'blocked') {
    return problem(429, {
      type: `${types}abnormal-usage-detected`,
      title: 'Request not satisfied due to detection of abnormal request pattern',
    });
  }
  return problem(429, {
    type: `${types}quota-exceeded`,
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    'violated-policies': limits.filter(({ retryAfterMs }) => retryAfterMs > 0).map((state) => state.policy),
  });
}
