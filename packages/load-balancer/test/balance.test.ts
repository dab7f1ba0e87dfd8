import type { Leave, Outcome, Reply } from '@weir/core';
import { fakeExchange } from '@weir/core/testing';
import { expect, test } from 'vitest';
import { balance, createPool, upstreamKey } from '../src/index.ts';

const outcome = (kind: Outcome['kind'], status: number): Outcome => ({
  kind,
  status,
  headMs: 1,
  durationMs: 1,
});

test.each([
  ['ok', 200, 1, 0],
  ['error', 500, 0, 1],
  ['rejected', 429, 0, 0],
  ['aborted', 0, 0, 0],
] as const)(
  'an exchange that ends "%s" counts for or against the upstream',
  (kind, status, succeeded, failed) => {
    const pool = createPool(['http://a']);
    const x = fakeExchange();
    const leave = balance(pool).enter(x) as Leave;
    expect(x.get(upstreamKey)).toMatchObject({ url: 'http://a', inFlight: 1 });
    leave(outcome(kind, status));
    expect(pool.snapshot()).toMatchObject({ upstreams: [{ inFlight: 0, succeeded, failed }] });
  },
);

test('an empty pool answers 503 with Retry-After', () => {
  const reply = balance(createPool([])).enter(fakeExchange()) as Reply;
  expect(reply.status).toBe(503);
  expect(reply.headers).toContain('retry-after');
});
