import type { Leave, Outcome, Policy } from '@weir/core';
import type { FakeExchange } from '@weir/core/testing';
import { fakeExchange } from '@weir/core/testing';

export const outcome = (headMs = 5, kind: Outcome['kind'] = 'ok'): Outcome => ({
  status: 200,
  kind,
  headMs,
  durationMs: headMs,
});
export const enter = (policy: Policy, x: FakeExchange = fakeExchange()) => policy.enter(x);
export const isLeave = (entered: unknown): entered is Leave => typeof entered === 'function';
