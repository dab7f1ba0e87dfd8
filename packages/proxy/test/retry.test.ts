import { createServer, request } from 'node:http';
import { createBreakers } from '@weir/circuit-breaker';
import { ManualClock } from '@weir/core/testing';
import { retryBudget } from '@weir/resilience';
import { describe, expect, test } from 'vitest';
import {
  client,
  eventually,
  gate,
  get,
  type Handler,
  inFlight,
  listen,
  noted,
  type Proxied,
  proxied,
  proxyTo,
  raw,
  rawUpstream,
  refusingPort,
} from './support.ts';

const alive: Handler = (_req, res) => void res.end('alive');

/** Upstreams that count how often they are asked. */
function counting(...handlers: Handler[]): { readonly hits: number[]; readonly handlers: Handler[] } {
  const hits = handlers.map(() => 0);
  return {
    hits,
    handlers: handlers.map((handler, i) => (req, res) => {
      hits[i]! += 1;
      handler(req, res);
    }),
  };
}

const dies: Handler = (req) => void req.socket.destroy();
const unavailable =
  (retryAfter?: string): Handler =>
  (_req, res) =>
    void res.writeHead(503, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('busy');
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe('a request that failed', () => {
  test('with one of two upstreams refusing, none of 1,000 GETs fails, nor does a POST', async () => {
    const { port, pool } = await proxied(['refuses', (req, res) => void req.pipe(res)]);
    const statuses: number[] = [];
    const ask = client(port);
    let asked = 0;
    const worker = async (): Promise<void> => {
      while (asked < 1_000) {
        asked += 1;
        const body = asked % 10 === 0 ? 'x' : undefined;
        const { status, text } = await ask(body);
        expect(text).toBe(body ?? '');
        statuses.push(status);
      }
    };
    await Promise.all(Array.from({ length: 20 }, worker));
    expect(statuses).toHaveLength(1_000);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(inFlight(pool)).toBe(0);
  }, 60_000);

  test('is never sent twice if it is a POST, whatever happens to the first', async () => {
    const { hits, handlers } = counting(dies, dies, unavailable(), unavailable());
    const { port } = await proxied(handlers);
    const statuses: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      const body = i % 2 === 0 ? 'order' : undefined;
      const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: body ?? null });
      statuses.push(response.status);
      await response.text();
    }
    expect(statuses.toSorted()).toEqual([502, 502, 502, 502, 503, 503, 503, 503]);
    expect(hits).toEqual([2, 2, 2, 2]);
  });

  test('is not sent twice if it has a body, even where the method allows it', async () => {
    const { hits, handlers } = counting(dies, dies);
    const { port } = await proxied(handlers);
    expect((await fetch(`http://127.0.0.1:${port}`, { method: 'PUT', body: 'x' })).status).toBe(502);
    expect(sum(hits)).toBe(1);
    expect((await fetch(`http://127.0.0.1:${port}`, { method: 'DELETE' })).status).toBe(502);
    expect(sum(hits)).toBe(3);
  });

  test('is tried once for each upstream, as often as allowed', async () => {
    for (const [max, expected] of [
      [0, 1],
      [1, 2],
      [10, 3],
    ] as const) {
      const { hits, handlers } = counting(dies, dies, dies);
      const { port, policy } = await proxied(handlers, { retry: { max } });
      expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(502);
      expect(sum(hits)).toBe(expected);
      expect(Math.max(...hits)).toBe(1);
      expect(policy.snapshot()).toMatchObject({
        tries: expected,
        retries: expected - 1,
        failed: 1,
        inFlight: 0,
      });
    }
    const { hits, handlers } = counting(dies, dies);
    const { port } = await proxied(handlers, { retry: false });
    await fetch(`http://127.0.0.1:${port}`);
    expect(sum(hits)).toBe(1);
  });

  test('is repeated no more than the budget allows, but goes elsewhere freely if it was never sent', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ ratio: 0.1, minPerSecond: 0, clock });
    const { hits, handlers } = counting(dies, dies);
    const { port, policy } = await proxied(handlers, { retry: { budget } }, { pool: { outliers: false } });
    for (let i = 0; i < 40; i += 1) await fetch(`http://127.0.0.1:${port}`);
    expect(sum(hits)).toBe(44);
    expect(policy.snapshot()).toMatchObject({ retries: 4, overBudget: 36 });
    const never = retryBudget({ ratio: 0.001, minPerSecond: 0, clock });
    const refused = await proxied(['refuses', alive], { retry: { budget: never } }, { ordered: true });
    for (let i = 0; i < 10; i += 1)
      expect((await fetch(`http://127.0.0.1:${refused.port}`)).status).toBe(200);
  });

  test('an answer of a chosen status is replaced by a better one, or passed on if there is none', async () => {
    const better = await proxied([unavailable(), alive], { retry: { statuses: [503] } }, { ordered: true });
    for (let i = 0; i < 4; i += 1) {
      const response = await fetch(`http://127.0.0.1:${better.port}`);
      expect([response.status, await response.text()]).toEqual([200, 'alive']);
    }
    expect(noted(better.pool)[0]!.failed).toBeGreaterThan(0);
    const none = await proxied([unavailable(), unavailable()]);
    const response = await fetch(`http://127.0.0.1:${none.port}`);
    expect([response.status, await response.text()]).toEqual([503, 'busy']);
    expect(none.policy.snapshot()).toMatchObject({ tries: 2, answered: 1, inFlight: 0 });
    const other = await proxied([unavailable(), alive], { retry: { statuses: [502] } }, { ordered: true });
    expect((await fetch(`http://127.0.0.1:${other.port}`)).status).toBe(503);
    expect(inFlight(none.pool) + inFlight(better.pool) + inFlight(other.pool)).toBe(0);
  });

  test('a HEAD whose answer was kept back is passed on, and over', async () => {
    const { port, policy, pool } = await proxied([unavailable('1'), alive], {}, { ordered: true });
    // Nobody else is there when the time has come.
    pool.setWeight(pool.upstreams[1]!.url, 0);
    expect((await fetch(`http://127.0.0.1:${port}`, { method: 'HEAD' })).status).toBe(503);
    expect(policy.snapshot()).toMatchObject({ inFlight: 0, tries: 1, answered: 1 });
    expect(inFlight(pool)).toBe(0);
  });

  test('the answer that is not taken leaves its connection in use, unless it is long', async () => {
    for (const [length, reused] of [
      [1_000, true],
      [5_000_000, false],
    ] as const) {
      const ports = new Set<number | undefined>();
      let over = gate();
      const bad: Handler = (req, res) => {
        ports.add(req.socket.remotePort);
        res.on('close', () => over.open());
        res.writeHead(503).end('x'.repeat(length));
      };
      const { port, pool } = await proxied([bad, alive], {}, { ordered: true, pool: { outliers: false } });
      for (let i = 0; i < 6; i += 1) {
        over = gate();
        expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('alive');
        await over.passed;
        expect(inFlight(pool)).toBe(0);
      }
      expect(ports.size === 1).toBe(reused);
    }
  });

  test('Retry-After is waited for if it is short', async () => {
    let asked = 0;
    let answered = 0;
    const { port } = await proxied(
      [
        (req, res) => {
          asked = performance.now();
          unavailable('1')(req, res);
        },
        (_req, res) => {
          answered = performance.now();
          res.end('alive');
        },
      ],
      {},
      { ordered: true },
    );
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('alive');
    // Node's timers may be early by a fraction of a millisecond.
    expect(answered - asked).toBeGreaterThan(990);
  });

  test.each(['60', 'Fri, 31 Dec 2100 23:59:59 GMT'])(
    'an answer with Retry-After: %s is passed on',
    async (after) => {
      const { hits, handlers } = counting(unavailable(after), unavailable(after));
      const { port } = await proxied(handlers);
      const response = await fetch(`http://127.0.0.1:${port}`);
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, after]);
      expect(sum(hits)).toBe(1);
    },
  );

  test('a client that leaves while a Retry-After is waited for ends it all', async () => {
    const { hits, handlers } = counting(unavailable('1'), () => {});
    const breakers = createBreakers({ max: 10, consecutiveFailures: 1 });
    const { port, pool, policy } = await proxied(
      handlers,
      { retry: { maxWait: '10s' }, breaker: breakers },
      { ordered: true },
    );
    const req = request({ port, host: '127.0.0.1' }).on('error', () => {});
    req.end();
    await eventually(() => breakers.get(pool.upstreams[0]!.url).state).toBe('open');
    req.destroy();
    await eventually(() => policy.snapshot()).toMatchObject({ inFlight: 0, aborted: 1 });
    expect(inFlight(pool)).toBe(0);
    expect(hits).toEqual([1, 0]);
  });
});

describe('a try that takes too long', () => {
  test('goes to another upstream, or is answered with 504', async () => {
    const { port, pool } = await proxied([() => {}, alive], { timeout: { head: '1s' } }, { ordered: true });
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(200);
    expect(noted(pool)[0]).toEqual({ succeeded: 0, failed: 1 });
    const silent = await proxied([() => {}], { timeout: { head: 50 } });
    const response = await fetch(`http://127.0.0.1:${silent.port}`);
    expect(response.status).toBe(504);
    expect(response.headers.get('proxy-status')).toBe('weir; error=http_response_timeout');
    expect(inFlight(silent.pool)).toBe(0);
  });

  test('the time for all tries ends them, and the answer is 504', async () => {
    const { port, pool, policy } = await proxied([() => {}, () => {}, () => {}], {
      timeout: { head: '10s', total: 80 },
      retry: { max: 10 },
    });
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(504);
    expect(inFlight(pool)).toBe(0);
    expect(policy.snapshot()).toMatchObject({ inFlight: 0, failed: 1, tries: 1 });
  });

  test('a client that is slow to send its body is not the upstream’s fault', async () => {
    const { port, pool } = await proxied([(req, res) => void req.pipe(res)], { timeout: { head: 500 } });
    const req = request({ port, host: '127.0.0.1', method: 'POST' });
    const answer = new Promise<string>((resolve, reject) => {
      req.on('error', reject);
      req.on('response', (res) => {
        let text = '';
        res.on('data', (chunk) => (text += chunk)).on('end', () => resolve(`${res.statusCode} ${text}`));
      });
    });
    req.write('first ');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    req.end('last');
    expect(await answer).toBe('200 first last');
    expect(noted(pool)).toEqual([{ succeeded: 1, failed: 0 }]);
  });

  test('an upstream that takes a body and then says nothing is at fault', async () => {
    const { port, pool } = await proxied([(req) => void req.resume()], { timeout: { head: 60 } });
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(response.status).toBe(504);
    expect(noted(pool)).toEqual([{ succeeded: 0, failed: 1 }]);
  });

  test('an upstream that stops taking a body is at fault', async () => {
    const { port, pool } = await proxied([(req) => void req.pause()], { timeout: { head: 200 } });
    const response = await fetch(`http://127.0.0.1:${port}`, {
      method: 'POST',
      body: Buffer.alloc(24 * 1024 * 1024),
    }).catch((error: Error) => error);
    // The answer may be lost when the connection closes on a client that is still sending.
    if (response instanceof Response) expect(response.status).toBe(504);
    await eventually(() => noted(pool)).toEqual([{ succeeded: 0, failed: 1 }]);
    expect(inFlight(pool)).toBe(0);
  });

  test('an upstream that drips less than a byte each idle time is cut off, and so is the client', async () => {
    const { port, pool } = await proxied(
      [
        (_req, res) => {
          res.writeHead(200, { 'content-length': '10' });
          res.write('x');
        },
      ],
      { timeout: { idle: 100 } },
    );
    const text = await raw(port, get('/'));
    expect(text).toMatch(/\r\n\r\nx$/);
    expect(noted(pool)).toEqual([{ succeeded: 0, failed: 1 }]);
  });
});

describe('a hedge', () => {
  test('answers when the first upstream is slow, and nobody is blamed', async () => {
    let gone = 0;
    const { port, pool, policy } = await proxied(
      [(req) => void req.socket.on('close', () => (gone += 1)), alive],
      { hedge: { after: 30 } },
      { ordered: true },
    );
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('alive');
    await eventually(() => gone).toBe(1);
    expect(inFlight(pool)).toBe(0);
    expect(noted(pool)).toEqual([
      { succeeded: 0, failed: 0 },
      { succeeded: 1, failed: 0 },
    ]);
    expect(policy.snapshot()).toMatchObject({ hedges: 1, hedgesWon: 1, inFlight: 0 });
  });

  test('is not begun for a POST, nor beyond the budget, and loses to a first try that comes in time', async () => {
    const slow: Handler = (req, res) => {
      setTimeout(() => void req.resume().on('end', () => res.end('slow')), 120);
    };
    const posts = counting(slow, slow);
    const one = await proxied(posts.handlers, { hedge: { after: 20 } }, { ordered: true });
    expect(await (await fetch(`http://127.0.0.1:${one.port}`, { method: 'POST', body: 'x' })).text()).toBe(
      'slow',
    );
    expect(sum(posts.hits)).toBe(1);
    const budget = retryBudget({ ratio: 0.001, minPerSecond: 0 });
    const bounded = counting(slow, slow);
    const two = await proxied(bounded.handlers, { hedge: { after: 20 }, retry: { budget } });
    expect(await (await fetch(`http://127.0.0.1:${two.port}`)).text()).toBe('slow');
    expect(sum(bounded.hits)).toBe(1);
    expect(two.policy.snapshot()).toMatchObject({ hedges: 0, overBudget: 1 });
    const raced = counting(slow, () => {});
    const three = await proxied(raced.handlers, { hedge: { after: 20 } }, { ordered: true });
    expect(await (await fetch(`http://127.0.0.1:${three.port}`)).text()).toBe('slow');
    await eventually(() => inFlight(three.pool)).toBe(0);
    expect(three.policy.snapshot()).toMatchObject({ hedges: 1, hedgesWon: 0 });
    expect(sum(raced.hits)).toBe(2);
  });

  /** Two upstreams: the second is asked while the first is silent, and answers when that one has spoken. */
  const race = async (first: Handler, second: Handler, spoken: (proxied: Proxied) => boolean) => {
    const asked = gate();
    const passed = gate();
    const found = await proxied(
      [
        async (req, res) => {
          await asked.passed;
          first(req, res);
        },
        async (req, res) => {
          asked.open();
          await passed.passed;
          second(req, res);
        },
      ],
      { hedge: { after: 10 } },
      { ordered: true, pool: { outliers: false } },
    );
    const response = fetch(`http://127.0.0.1:${found.port}`);
    await eventually(() => spoken(found)).toBe(true);
    passed.open();
    const { status } = await response;
    await eventually(() => inFlight(found.pool)).toBe(0);
    return { status, snapshot: found.policy.snapshot() };
  };
  const headSeen = ({ policy }: Proxied): boolean =>
    policy.metrics().some((each) => each.type === 'histogram' && sum(each.counts) === 1);
  const failureSeen = ({ pool }: Proxied): boolean => noted(pool)[0]!.failed === 1;

  test('that runs when the first try fails has the word', async () => {
    const { status, snapshot } = await race(dies, alive, failureSeen);
    expect(status).toBe(200);
    expect(snapshot).toMatchObject({ tries: 2, retries: 0, hedgesWon: 1 });
  });

  test('may better an answer that is worth another try, which is passed on if it does not', async () => {
    const better = await race(unavailable(), alive, headSeen);
    expect(better.status).toBe(200);
    expect(better.snapshot).toMatchObject({ tries: 2, hedgesWon: 1, inFlight: 0 });
    const worse = await race(unavailable(), dies, headSeen);
    expect(worse.status).toBe(503);
    expect(worse.snapshot).toMatchObject({ tries: 2, hedgesWon: 0, inFlight: 0 });
  });
});

describe('a breaker for each upstream', () => {
  test('passes over the upstream that fails, while the route stays open', async () => {
    const { hits, handlers } = counting((_req, res) => void res.writeHead(500).end(), alive);
    const { port } = await proxied(
      handlers,
      { breaker: { consecutiveFailures: 2, openFor: '1h' }, retry: false },
      { ordered: true, pool: { outliers: false } },
    );
    const statuses: number[] = [];
    for (let i = 0; i < 20; i += 1) statuses.push((await fetch(`http://127.0.0.1:${port}`)).status);
    expect(hits[0]).toBe(2);
    expect(statuses.filter((status) => status === 200)).toHaveLength(18);
  });

  test('when all are open the answer is 503, with the time that the first one asks for', async () => {
    const clock = new ManualClock();
    const breakers = createBreakers({ max: 10, consecutiveFailures: 1, openFor: '90s', clock });
    const { port } = await proxied([dies, dies], { breaker: breakers, retry: false });
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(502);
    clock.advance('30s');
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(502);
    const response = await fetch(`http://127.0.0.1:${port}`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '60']);
    expect(response.headers.get('proxy-status')).toBe('weir; error=destination_unavailable');
  });

  test('a probe’s place is given back when the client leaves', async () => {
    const clock = new ManualClock();
    const breakers = createBreakers({
      max: 10,
      consecutiveFailures: 1,
      openFor: '10s',
      probeLease: '1h',
      clock,
    });
    let mode: Handler = dies;
    const { port, pool } = await proxied([(req, res) => mode(req, res)], { breaker: breakers, retry: false });
    const breaker = breakers.get(pool.upstreams[0]!.url);
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(502);
    expect(breaker.state).toBe('open');
    clock.advance('10s');
    const there = gate();
    mode = () => there.open();
    const req = request({ port, host: '127.0.0.1' }).on('error', () => {});
    req.end();
    await there.passed;
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(503);
    req.destroy();
    await eventually(() => inFlight(pool)).toBe(0);
    mode = alive;
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(200);
    expect(breaker.state).toBe('closed');
  });

  test('is told how long a 503 asks to be left alone', async () => {
    const clock = new ManualClock();
    const breakers = createBreakers({ max: 10, consecutiveFailures: 1, openFor: '1s', clock });
    const { port, pool } = await proxied([unavailable('120')], { breaker: breakers });
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(503);
    expect(breakers.get(pool.upstreams[0]!.url).retryAfterMs).toBe(120_000);
  });
});

test('0 requests fail while four upstreams are restarted one after the other, under load', async () => {
  const answer: Handler = (req, res) => {
    setTimeout(() => req.resume().on('end', () => res.end('ok')), 2);
  };
  const servers = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const server = createServer(answer);
      return { server, port: await listen(server) };
    }),
  );
  const { port, pool } = await proxyTo(servers.map((each) => `http://127.0.0.1:${each.port}`));
  const ask = client(port);
  const bad: unknown[] = [];
  let done = false;
  let answered = 0;
  const worker = async (post: boolean): Promise<void> => {
    while (!done) {
      const { status, text } = await ask(post ? 'x' : undefined);
      if (status !== 200 || text !== 'ok') bad.push(status);
      answered += 1;
    }
  };
  const workers = [...Array(8)].map((_, i) => worker(i % 4 === 0).catch((error) => bad.push(error)));
  for (const each of servers) {
    const { url } = pool.upstreams.find((upstream) => upstream.url.endsWith(`:${each.port}`))!;
    const seen = answered;
    await pool.drain(url, { timeout: '10s' });
    // All that was given to it has been answered; its idle connections close with it.
    each.server.closeAllConnections();
    await new Promise((resolve) => each.server.close(resolve));
    await eventually(() => answered).toBeGreaterThan(seen + 20);
    await listen(createServer(answer), each.port);
    pool.resume(url);
  }
  const seen = answered;
  await eventually(() => answered).toBeGreaterThan(seen + 50);
  done = true;
  await Promise.all(workers);
  expect(bad).toEqual([]);
  expect(inFlight(pool)).toBe(0);
}, 60_000);

describe('an upstream that cannot be had', () => {
  const said = async (url: string, options = {}) => {
    const { port } = await proxyTo([url], options);
    const response = await fetch(`http://127.0.0.1:${port}/secret?token=1`);
    const text = await response.text();
    // Nothing of where it is or what was asked.
    expect(text).not.toMatch(/127\.0\.0\.1|localhost|invalid|:\d{4,}|secret|token|ECONN|at /);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    return [response.status, response.headers.get('proxy-status'), JSON.parse(text).detail];
  };

  test('is said to have refused, not to have a name, or to have closed', async () => {
    expect(await said(`http://127.0.0.1:${await refusingPort()}`)).toEqual([
      502,
      'weir; error=connection_refused',
      'The upstream refused the connection.',
    ]);
    expect(await said('http://no-such-host.invalid')).toEqual([
      502,
      'weir; error=dns_error',
      'The name of the upstream could not be resolved.',
    ]);
    const closing = await rawUpstream((socket) => socket.destroy());
    expect(await said(closing.url, { via: 'edge' })).toEqual([
      502,
      'edge; error=connection_terminated',
      'The upstream closed the connection before it answered.',
    ]);
    expect(await said(closing.url, { via: false })).toEqual([502, null, expect.any(String)]);
  });

  test('an empty pool answers 503 with Retry-After, and is used as soon as it has one', async () => {
    const { port, pool, policy } = await proxyTo([]);
    const response = await fetch(`http://127.0.0.1:${port}`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toMatchObject({
      title: 'Service Unavailable',
      detail: 'No upstream is available.',
    });
    pool.add(`http://127.0.0.1:${await listen(createServer(alive))}`);
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(200);
    expect(policy.snapshot()).toMatchObject({ failed: 1, answered: 1, inFlight: 0 });
  });

  test('one that is removed loses its connections, when their requests are done', async () => {
    const passed = gate();
    const there = gate();
    const server = createServer(async (_req, res) => {
      there.open();
      await passed.passed;
      res.end('done');
    });
    const closed = gate();
    server.on('connection', (socket) => socket.on('close', () => closed.open()));
    const { port, pool } = await proxyTo([`http://127.0.0.1:${await listen(server)}`]);
    const response = fetch(`http://127.0.0.1:${port}`);
    await there.passed;
    pool.remove(pool.upstreams[0]!.url);
    passed.open();
    expect(await (await response).text()).toBe('done');
    await closed.passed;
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(503);
  });
});

test('close() refuses new requests, lets those under way finish, and cuts what takes too long', async () => {
  const there = gate();
  const passed = gate();
  const { port, policy } = await proxied([
    async (req, res) => {
      res.write('begun ');
      there.open();
      if (req.url === '/short') await passed.passed;
      else return;
      res.end('done');
    },
  ]);
  const short = fetch(`http://127.0.0.1:${port}/short`).then((response) => response.text());
  const endless = fetch(`http://127.0.0.1:${port}/endless`).then((response) => response.text());
  await there.passed;
  await eventually(() => policy.snapshot().answered).toBe(2);
  const closing = policy.close({ within: '1s' });
  const refused = await fetch(`http://127.0.0.1:${port}/late`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  passed.open();
  expect(await short).toBe('begun done');
  await expect(endless).rejects.toThrow();
  await closing;
  await policy.close();
  expect(policy.snapshot()).toMatchObject({ inFlight: 0, refused: 1 });
});
