import type { Leave, Reply } from '@weir/core';
import { fakeExchange, ManualClock } from '@weir/core/testing';
import { describe, expect, it, vi } from 'vitest';
import { concurrencyLimit } from '../src/index.ts';
import { enter, isLeave, outcome } from './policy-support.ts';
import { inManualTime } from './support.ts';

inManualTime();

describe('concurrencyLimit', () => {
  it('answers 503 with Retry-After beyond its limit, at once', () => {
    const policy = concurrencyLimit({ limit: 2 });
    const first = enter(policy) as Leave;
    enter(policy);
    const reply = enter(policy) as Reply;
    expect(reply).toMatchObject({ status: 503 });
    expect(reply.headers).toEqual(['content-type', 'application/problem+json', 'retry-after', '1']);
    first(outcome());
    first(outcome());
    expect(isLeave(enter(policy))).toBe(true);
    expect(enter(policy)).toBe(reply);
  });

  it('lets requests wait in order, for so long', async () => {
    const policy = concurrencyLimit({ limit: 1, queue: 2, maxWait: 100 });
    const first = enter(policy) as Leave;
    const [second, third] = [enter(policy), enter(policy)];
    expect(enter(policy)).toMatchObject({ status: 503 });
    first(outcome());
    expect(isLeave(await second)).toBe(true);
    await vi.advanceTimersByTimeAsync(100);
    expect(await third).toMatchObject({ status: 503 });
    expect(policy.snapshot()).toMatchObject({ inFlight: 1, waiting: 0, admitted: 2, refused: 2 });
  });

  it('forgets a request whose client leaves while it waits', async () => {
    const policy = concurrencyLimit({ limit: 1, queue: 1 });
    enter(policy);
    const x = fakeExchange();
    const waiting = enter(policy, x);
    x.abort(new Error('gone'));
    await expect(waiting).resolves.toMatchObject({ status: 503 });
    expect(policy.snapshot()).toMatchObject({ waiting: 0, inFlight: 1 });
  });

  it('takes back places whose lease is over, and ignores their late end', () => {
    const clock = new ManualClock();
    const policy = concurrencyLimit({ limit: 1, lease: '30s', clock });
    const forgotten = enter(policy) as Leave;
    clock.advance(29_999);
    expect(isLeave(enter(policy))).toBe(false);
    clock.advance(1);
    expect(isLeave(enter(policy))).toBe(true);
    forgotten(outcome());
    expect(isLeave(enter(policy))).toBe(false);
    expect(policy.metrics().find(({ name }) => name.endsWith('lapsed_total'))).toMatchObject({ value: 1 });
  });

  it.each([
    ['limit', {}],
    ['limit', { limit: 0 }],
    ['queue', { limit: 1, queue: 0.5 }],
    ['lease', { limit: 1, lease: 0 }],
    ['until', { limit: 1, until: 'later' }],
    ['max', { limit: 1, max: 5 }],
  ])('refuses %s in %j', (option, options) => {
    expect(() => concurrencyLimit(options as never)).toThrow(expect.objectContaining({ option }));
  });
});
