import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromHeader } from '@weir/consistent-hash';
import type { Leave, Outcome, Reply } from '@weir/core';
import { fakeExchange } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import {
  acquireFor,
  balance,
  consistentHash,
  createPool,
  ipHash,
  leastResponseTime,
  roundRobin,
  stickyCookie,
  upstreamKey,
} from '../src/index.ts';
import { a, abc, b, serve, shown } from './support.ts';

const outcome = (kind: Outcome['kind'], status: number): Outcome => ({
  kind,
  status,
  headMs: 7,
  durationMs: 3_600_000,
});

describe('balance', () => {
  test.each([
    ['ok', 200, { succeeded: 1, failed: 0, ignored: 0 }],
    ['error', 500, { succeeded: 0, failed: 1, ignored: 0 }],
    ['rejected', 429, { succeeded: 0, failed: 0, ignored: 1 }],
    ['aborted', 0, { succeeded: 0, failed: 0, ignored: 1 }],
  ] as const)(
    'an exchange that ends "%s" counts for or against the upstream, or not',
    (kind, status, counts) => {
      const pool = createPool([a]);
      const x = fakeExchange();
      const leave = balance(pool).enter(x) as Leave;
      expect(x.get(upstreamKey)).toMatchObject({ url: a, inFlight: 1 });
      leave(outcome(kind, status));
      expect(shown(pool, a)).toMatchObject({ inFlight: 0, ...counts });
    },
  );

  test('an empty pool answers 503 with Retry-After, and says nothing of what is behind', () => {
    const reply = balance(createPool([])).enter(fakeExchange()) as Reply;
    expect(reply.status).toBe(503);
    expect(reply.headers).toContain('retry-after');
    expect(reply.body).not.toContain('pool-');
  });

  test('an hour of streaming is not an hour of waiting: the time to the head is what counts', () => {
    const pool = createPool([a], { strategy: leastResponseTime() });
    (balance(pool).enter(fakeExchange()) as Leave)(outcome('ok', 200));
    expect(pool.upstreams[0]?.latencyMs).toBe(7);
  });

  test('a key of the request goes to the strategy', () => {
    const pool = createPool(abc, { strategy: consistentHash() });
    const policy = balance(pool, { key: fromHeader('x-tenant') as never });
    for (const tenant of ['one', 'two', 'three', 'four']) {
      const x = fakeExchange({ headers: { 'x-tenant': tenant } });
      policy.enter(x);
      expect(x.get(upstreamKey)?.url).toBe(serve(pool, 'ok', { key: tenant }));
    }
    expect(() => balance(pool, { key: 'x-tenant' as never })).toThrow(/key/);
    expect(() => balance(pool, { keys: 1 } as never)).toThrow(/keys/);
  });

  test('the address of the client does, too', () => {
    const pool = createPool(abc, { strategy: ipHash() });
    for (let i = 0; i < 10; i += 1) {
      const x = fakeExchange({ ip: `192.0.2.${i}` });
      balance(pool).enter(x);
      expect(x.get(upstreamKey)?.url).toBe(serve(pool, 'ok', { ip: `192.0.2.${i}` }));
    }
  });

  test('a sticky session is kept by cookie', () => {
    const pool = createPool(abc, {
      strategy: roundRobin(),
      sticky: stickyCookie({ secret: 'a secret of enough length' }),
    });
    const policy = balance(pool);
    const first = fakeExchange();
    policy.enter(first);
    const [cookie] = first.responseHeaders.get('set-cookie')!;
    for (let i = 0; i < 4; i += 1) {
      const next = fakeExchange({ headers: { cookie: cookie!.split(';')[0]! } });
      policy.enter(next);
      expect(next.get(upstreamKey)?.url).toBe(first.get(upstreamKey)?.url);
      expect(next.responseHeaders.size).toBe(0);
    }
  });

  test('a real server, killed in between, costs one answer at most and is then left out', async () => {
    const servers = [0, 1].map(() => createServer((_req, res) => void res.end('hello')));
    await Promise.all(
      servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
    );
    const urls = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const pool = createPool(urls, {
      strategy: roundRobin(),
      outliers: { consecutiveFailures: 1, ejectFor: '1h' },
    });
    const request = async (): Promise<string> => {
      const x = fakeExchange();
      const leave = balance(pool).enter(x) as Leave;
      try {
        const text = await (
          await fetch(x.get(upstreamKey)!.url, { headers: { connection: 'close' } })
        ).text();
        leave(outcome('ok', 200));
        return text;
      } catch {
        leave(outcome('error', 502));
        return 'failed';
      }
    };
    expect([await request(), await request()]).toEqual(['hello', 'hello']);
    servers[0]!.closeAllConnections();
    await new Promise((resolve) => servers[0]!.close(resolve));
    const answers: string[] = [];
    for (let i = 0; i < 10; i += 1) answers.push(await request());
    expect(answers.filter((answer) => answer === 'failed')).toHaveLength(1);
    expect(pool.upstreams.every(({ inFlight }) => inFlight === 0)).toBe(true);
    servers[1]!.closeAllConnections();
    await new Promise((resolve) => servers[1]!.close(resolve));
  });
});

test('acquireFor lets its options go before what it reads', () => {
  const pool = createPool([a, b], { strategy: roundRobin() });
  expect(acquireFor(pool, fakeExchange(), { exclude: [a] })?.upstream.url).toBe(b);
  expect(acquireFor(pool, fakeExchange(), { exclude: [a, b] })).toBeUndefined();
});
