import { type Leave, type Outcome, problem, type Reply } from '@weir/core';
import { fakeExchange, ManualClock } from '@weir/core/testing';
import Circuit from 'opossum';
import { describe, expect, it, vi } from 'vitest';
import {
  type CircuitBreakerOptions,
  type CircuitBreakerPolicy,
  circuitBreaker,
  createBreaker,
  createBreakers,
} from '../src/index.ts';
import { createOpossumBreaker, fromOpossum } from '../src/opossum.ts';

const outcome = (kind: Outcome['kind'], headMs = 5): Outcome => ({
  status: kind === 'error' ? 500 : 200,
  kind,
  headMs,
  durationMs: headMs,
});

const pass = (policy: CircuitBreakerPolicy, kind: Outcome['kind'], headMs?: number): Reply | undefined => {
  const entered = policy.enter(fakeExchange());
  if (typeof entered !== 'function') return entered as Reply;
  (entered as Leave)(outcome(kind, headMs));
  return undefined;
};
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const make = (options: CircuitBreakerOptions = {}) => {
  const clock = new ManualClock();
  return { clock, policy: circuitBreaker({ minimumCalls: 2, openFor: 1500, clock, ...options }) };
};

describe('circuitBreaker', () => {
  it('refuses with 503, a problem document and the time left rounded up', () => {
    const { policy, clock } = make();
    pass(policy, 'error');
    pass(policy, 'error');
    clock.advance(100);
    const reply = pass(policy, 'ok')!;
    expect(reply).toMatchObject({ status: 503 });
    expect(reply.headers).toEqual(['content-type', 'application/problem+json', 'retry-after', '2']);
    expect(JSON.parse(String(reply.body))).toMatchObject({ status: 503, title: 'Service Unavailable' });
    expect(pass(policy, 'ok')).toBe(reply);
    clock.advance(500);
    expect(pass(policy, 'ok')!.headers).toContain('1');
    clock.advance(900);
    expect(pass(policy, 'ok')).toBeUndefined();
    expect(policy.breaker!.state).toBe('closed');
  });

  it('asks refused requests to wait a second while a probe is under way', () => {
    const { policy, clock } = make();
    pass(policy, 'error');
    pass(policy, 'error');
    clock.advance(1500);
    expect(policy.enter(fakeExchange())).toBeTypeOf('function');
    expect(pass(policy, 'ok')!.headers).toContain('1');
  });

  it('never takes an inner refusal or a client that went away for a failure or a success', () => {
    const { policy, clock } = make();
    for (let i = 0; i < 20; i += 1) pass(policy, i % 2 === 0 ? 'rejected' : 'aborted');
    expect(policy.breaker!.snapshot()).toMatchObject({ state: 'closed', calls: 0 });
    pass(policy, 'error');
    pass(policy, 'error');
    clock.advance(1500);
    pass(policy, 'aborted');
    expect(policy.breaker!.state).toBe('half-open');
    expect(pass(policy, 'ok')).toBeUndefined();
    expect(policy.breaker!.state).toBe('closed');
  });

  it('judges slowness by the head of the response', () => {
    const { policy } = make({ slowCallAfter: 100 });
    pass(policy, 'ok', 101);
    pass(policy, 'ok', 101);
    expect(policy.breaker!.state).toBe('open');
  });

  it('is told at the head, or at the end if asked', () => {
    expect(make().policy.until).toBe('head');
    expect(make({ until: 'end' }).policy.until).toBe('end');
  });

  it('judges by a classifier of the outcome', () => {
    const { policy } = make({ classify: ({ status }) => (status === 200 ? 'failure' : 'ignore') });
    pass(policy, 'ok');
    pass(policy, 'ok');
    expect(policy.breaker!.state).toBe('open');
  });

  it('gives the permit back when the classifier throws, and lets the error out', () => {
    const fault = new Error('classifier');
    const { policy, clock } = make({
      classify: ({ kind }) => {
        if (kind === 'ok') throw fault;
        return 'failure';
      },
    });
    pass(policy, 'error');
    pass(policy, 'error');
    clock.advance(1500);
    for (let i = 0; i < 3; i += 1) expect(() => pass(policy, 'ok')).toThrow(fault);
    expect(policy.breaker!.snapshot()).toMatchObject({ state: 'half-open', inFlight: 0 });
  });

  it('stays open as long as the error of the handler asks', () => {
    const { policy } = make({ minimumCalls: 1 });
    const busy = Object.assign(new Error('busy'), { retryAfterMs: 60_000 });
    (policy.enter(fakeExchange()) as Leave)({ ...outcome('error'), error: busy });
    expect(policy.breaker!.retryAfterMs).toBe(60_000);
  });

  it('answers from a fallback', async () => {
    const stale = { status: 200, body: 'stale', kind: 'ok' } as const;
    const fallback = vi.fn((): Reply | undefined => stale);
    const fixed = make({ fallback: stale }).policy;
    const asked = make({ fallback }).policy;
    const later = make({ fallback: async () => stale }).policy;
    const none = make({ fallback: () => undefined }).policy;
    for (const policy of [fixed, asked, later, none]) policy.breaker!.forceOpen();
    expect(pass(fixed, 'ok')).toBe(stale);
    expect(pass(asked, 'ok')).toBe(stale);
    expect(fallback).toHaveBeenCalledWith(expect.objectContaining({ path: '/' }), 1500);
    expect(await pass(later, 'ok')).toBe(stale);
    expect(pass(none, 'ok')).toMatchObject({ status: 503 });
  });

  it('keeps a breaker for each key, in a bounded set', () => {
    const { policy } = make({ key: (x) => x.path, max: 5 });
    const enter = (url: string) => policy.enter(fakeExchange({ url }));
    for (let i = 0; i < 2; i += 1) (enter('/a?x=1') as Leave)(outcome('error'));
    expect(enter('/a')).toMatchObject({ status: 503 });
    expect(enter('/b')).toBeTypeOf('function');
    for (let i = 0; i < 50; i += 1) enter(`/${i}`);
    expect(policy.breakers!.size).toBe(5);
    expect(policy.breaker).toBeUndefined();
  });

  it('takes a breaker or a set of breakers made elsewhere', () => {
    const breaker = createBreaker();
    expect(circuitBreaker({ breaker }).breaker).toBe(breaker);
    const breakers = createBreakers({ max: 3 });
    const policy = circuitBreaker({ breaker: breakers, key: (x) => x.host });
    policy.enter(fakeExchange({ host: 'a.example' }));
    expect(policy.breakers).toBe(breakers);
    expect(breakers.size).toBe(1);
  });

  it.each([
    ['treshold', { treshold: 1 }],
    ['failureRate', { failureRate: 2 }],
    ['failureRate', { breaker: createBreaker(), failureRate: 0.5 }],
    ['key', { breaker: createBreakers({ max: 1 }) }],
    ['key', { breaker: createBreaker(), key: () => 'a' }],
    ['key', { key: 'path' }],
    ['max', { max: 5 }],
    ['breaker', { breaker: {} }],
    ['classify', { classify: 1 }],
    ['fallback', { fallback: 'sorry' }],
    ['until', { until: 'later' }],
  ])('refuses %s in %o', (option, options) => {
    expect(() => circuitBreaker(options as never)).toThrow(expect.objectContaining({ option }));
  });

  it('takes a problem as its fallback', () => {
    const { policy } = make({ fallback: problem(503, { detail: 'Prices are late.' }) });
    policy.breaker!.forceOpen();
    expect(String(pass(policy, 'ok')!.body)).toContain('Prices are late.');
  });
});

describe('circuitBreaker on opossum', () => {
  const engines = {
    createOpossumBreaker: () => createOpossumBreaker({ minimumCalls: 2, openFor: 60_000 }),
    fromOpossum: () =>
      fromOpossum(new Circuit(async () => 1, { volumeThreshold: 2, resetTimeout: 60_000, timeout: 10 })),
  };
  for (const [name, engine] of Object.entries(engines)) {
    it(`counts errors and refuses once open, with ${name}`, async () => {
      const breaker = engine();
      const policy = circuitBreaker({ breaker });
      for (let i = 0; i < 20; i += 1) pass(policy, i % 2 === 0 ? 'rejected' : 'aborted');
      pass(policy, 'ok');
      await settled();
      expect(breaker.state).toBe('closed');
      for (let i = 0; i < 30; i += 1) {
        pass(policy, 'error');
        await settled();
      }
      expect(breaker.state).toBe('open');
      const reply = pass(policy, 'ok')!;
      expect(reply.status).toBe(503);
      expect(reply.headers).toContain('60');
      breaker.close?.();
    });
  }
});
