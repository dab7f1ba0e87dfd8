import { createKey, type Exchange, type Policy, problem, type Reply, type Sink } from '@weir/core';
import { describe, expect, test } from 'vitest';
import { ask, leave } from './client.ts';
import { hosts, spy } from './hosts.ts';

const refusal: Reply = problem(429, { headers: ['retry-after', '7'] });
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(hosts)('$name', ({ start, http2, ownErrorPage, name }) => {
  const passes: Policy = { name: 'passes', enter() {} };
  const passesLater: Policy = { name: 'passes later', enter: () => tick() };

  test.each([
    ['at once', passes],
    ['later', passesLater],
  ])('a policy that passes %s lets the handler answer', async (_when, policy) => {
    await using server = await start([policy]);
    expect(await ask(server.port, { http2 })).toMatchObject({ status: 200, body: 'hello', complete: true });
    expect(await ask(server.port, { http2, path: '/async' })).toMatchObject({ status: 200, body: 'hello' });
  });

  test.each([
    ['at once', (): Reply => refusal],
    ['later', async (): Promise<Reply> => tick().then(() => refusal)],
  ])('a refusal given %s is sent whole, and outer policies see who refused', async (_when, refuse) => {
    const outer = spy('outer');
    await using server = await start([[outer, { name: 'door', enter: refuse }]]);
    const answer = await ask(server.port, { http2 });
    expect(answer.status).toBe(429);
    expect(answer.headers).toMatchObject({ 'retry-after': '7', 'content-type': 'application/problem+json' });
    expect(JSON.parse(answer.body)).toEqual({ title: 'Too Many Requests', status: 429 });
    expect(await outer.left()).toMatchObject({ status: 429, kind: 'rejected', by: 'door' });
  });

  test('a refused HEAD has no body, a refused POST leaves the connection whole', async () => {
    await using server = await start([{ name: 'door', enter: () => refusal }]);
    expect(await ask(server.port, { http2, method: 'HEAD' })).toMatchObject({
      status: 429,
      body: '',
      complete: true,
    });
    const body = 'x'.repeat(20_000);
    expect(await ask(server.port, { http2, method: 'POST', path: '/echo', body })).toMatchObject({
      status: 429,
    });
  });

  test('a HEAD request passes', async () => {
    await using server = await start([passes]);
    expect(await ask(server.port, { http2, method: 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
      complete: true,
    });
  });

  test('leaves run once, inside out, with the status and how it ended', async () => {
    const order: string[] = [];
    const named = (id: string): Policy => ({ name: id, enter: () => () => void order.push(id) });
    const last = spy('outermost');
    await using server = await start([[last, named('a'), named('b')], named('c')]);
    await ask(server.port, { http2 });
    expect(await last.left()).toMatchObject({ status: 200, kind: 'ok', by: undefined });
    expect(order).toEqual(['c', 'b', 'a']);
    await tick();
    expect(last.outcomes).toHaveLength(1);
  });

  test.each(['/throw', '/throw-async'])(
    'a handler that fails at %s is an error, with the headers kept',
    async (path) => {
      const watch = spy('watch', { enter: (x) => x.setHeader('ratelimit', '"a";r=1') });
      await using server = await start([watch]);
      const answer = await ask(server.port, { http2, path });
      expect(answer.status).toBe(500);
      if (ownErrorPage !== true) expect(answer.headers.ratelimit).toBe('"a";r=1');
      expect(await watch.left()).toMatchObject({ status: 500, kind: 'error' });
    },
  );

  test.each([
    ['/missing', 404],
    ['/redirect', 302],
    ['/empty', 204],
    ['/unchanged', 304],
    ['/own', 200],
    ['/stream', 200],
  ])('headers set and appended survive %s (%i), and the handler wins', async (path, status) => {
    const both = spy('headers', {
      enter(x) {
        x.setHeader('x-policy', 'policy');
        x.setHeader('x-shared', 'policy');
        x.appendHeader('x-list', 'one');
        x.appendHeader('x-list', 'two');
      },
    });
    await using server = await start([both]);
    const { headers, ...answer } = await ask(server.port, { http2, path });
    expect(answer.status).toBe(status);
    expect(headers).toMatchObject({ 'x-policy': 'policy', 'x-list': 'one, two' });
    expect(headers['x-shared']).toBe(path === '/own' ? 'handler' : 'policy');
    if (path === '/own') expect(headers['x-own']).toBe('handler');
    expect(await both.left()).toMatchObject({ status, kind: 'ok' });
  });

  test('a stream goes through, and its end is the end', async () => {
    const end = spy('end');
    const head = spy('head', { until: 'head' });
    await using server = await start([[end, head]]);
    expect(await ask(server.port, { http2, path: '/stream' })).toMatchObject({ body: 'abc', complete: true });
    expect(await end.left()).toMatchObject({ status: 200, kind: 'ok' });
    expect(await head.left()).toMatchObject({ status: 200, kind: 'ok' });
  });

  test('until head leaves while an endless stream goes on; until end when the client has gone', async () => {
    const end = spy('end');
    const head = spy('head', { until: 'head' });
    await using server = await start([[end, head]]);
    leave(server.port, '/drip', 'first byte', http2);
    expect(await head.left()).toMatchObject({ status: 200, kind: 'ok' });
    const outcome = await end.left();
    expect(outcome).toMatchObject({ status: 200, kind: 'aborted' });
    expect(outcome.headMs).toBeLessThanOrEqual(outcome.durationMs);
  });

  test('a client that leaves before the head makes the signal abort and everybody leave', async () => {
    let arrived = (): void => {};
    const there = new Promise<void>((resolve) => (arrived = resolve));
    let aborted = false;
    const end = spy('end', {
      enter(x) {
        x.signal.addEventListener('abort', () => (aborted = true));
        arrived();
      },
    });
    await using server = await start([end]);
    leave(server.port, '/hang', there, http2);
    expect(await end.left()).toMatchObject({ status: 0, kind: 'aborted' });
    expect(aborted).toBe(true);
  });

  test('a client that leaves while a policy decides: its leave runs last, the handler never', async () => {
    let arrived = (): void => {};
    const there = new Promise<void>((resolve) => (arrived = resolve));
    let decide = (): void => {};
    const decided = new Promise<void>((resolve) => (decide = resolve));
    const outer = spy('outer');
    const slow = spy('slow', { enter: () => Promise.resolve(arrived()).then(() => decided) });
    const inner = spy('inner');
    await using server = await start([[outer, slow, inner]]);
    leave(server.port, '/hello', there, http2);
    expect(await outer.left()).toMatchObject({ status: 0, kind: 'aborted' });
    expect(slow.outcomes).toEqual([]);
    decide();
    expect(await slow.left()).toMatchObject({ status: 0, kind: 'aborted' });
    await tick();
    expect(inner.outcomes).toEqual([]);
  });

  test('two requests at once do not see each other', async () => {
    const who = createKey<string>('who');
    const seen: string[] = [];
    const both: Policy = {
      name: 'who',
      async enter(x) {
        const id = x.header('x-id') ?? '';
        x.set(who, id);
        await tick();
        return () => void seen.push(`${id} is ${x.get(who)}`);
      },
    };
    await using server = await start([both]);
    await Promise.all(['ann', 'bob'].map((id) => ask(server.port, { http2, headers: { 'x-id': id } })));
    await expect.poll(() => seen.toSorted()).toEqual(['ann is ann', 'bob is bob']);
  });

  test('an enter that throws answers 500, unless it may fail open', async () => {
    const outer = spy('outer');
    const closed: Policy = { name: 'closed', enter: () => Promise.reject(new Error('store down')) };
    {
      await using server = await start([[outer, closed]]);
      const answer = await ask(server.port, { http2 });
      expect(answer.status).toBe(500);
      expect(answer.body).not.toContain('store down');
      expect(await outer.left()).toMatchObject({ status: 500, kind: 'error', by: 'closed' });
    }
    const open: Policy = {
      name: 'open',
      onFault: 'open',
      enter() {
        throw new Error('store down');
      },
    };
    await using server = await start([open]);
    expect(await ask(server.port, { http2 })).toMatchObject({ status: 200, body: 'hello' });
  });

  test('a leave that throws is reported and does not stop the others', async () => {
    const faults: string[] = [];
    const outer = spy('outer');
    const bad: Policy = {
      name: 'bad',
      enter: () => () => {
        throw new Error('oops');
      },
    };
    await using server = await start([[outer, bad]], { onFault: (_error, where) => faults.push(where) });
    await ask(server.port, { http2 });
    expect(await outer.left()).toMatchObject({ kind: 'ok' });
    expect(faults).toEqual(['leaving policy "bad"']);
  });

  test('what a policy reads is the request as received', async () => {
    let seen: Partial<Exchange> = {};
    await using server = await start([
      (x: Exchange) => {
        seen = { method: x.method, url: x.url, path: x.path, host: x.host, protocol: x.protocol, ip: x.ip };
      },
    ]);
    await ask(server.port, { http2, path: '/echo?a=1&a=2', method: 'POST', body: 'x' });
    expect(seen).toMatchObject({ method: 'POST', url: '/echo?a=1&a=2', path: '/echo', protocol: 'http' });
    expect(seen.host).toBe(`127.0.0.1:${server.port}`);
    // A bare web handler is told no address.
    expect(seen.ip).toBe(name.includes('fetch') ? 'unknown' : '127.0.0.1');
  });

  test('work handed to waitUntil may fail without harm', async () => {
    const faults: unknown[] = [];
    await using server = await start(
      [(x: Exchange) => x.waitUntil(Promise.reject(new Error('mail not sent')))],
      { onFault: (error) => faults.push(error) },
    );
    expect((await ask(server.port, { http2 })).status).toBe(200);
    await expect.poll(() => faults).toHaveLength(1);
  });

  describe('bodies', () => {
    /** A source that pushes its chunks at once, and tells how it was used. */
    const pushing = (chunks: readonly string[], how: 'end' | 'abort' = 'end') => {
      const source = {
        started: 0,
        cancelled: 0,
        start(sink: Sink) {
          source.started += 1;
          for (const chunk of chunks) sink.write(new TextEncoder().encode(chunk));
          if (how === 'end') sink.end();
          else sink.abort(new Error('upstream cut'));
        },
        resume() {},
        cancel() {
          source.cancelled += 1;
        },
      };
      return source;
    };

    test('a reply may stream from a source', async () => {
      const outer = spy('outer');
      const reply = (): Reply => ({
        status: 200,
        kind: 'ok',
        headers: ['x-a', '1'],
        body: pushing(['he', 'llo']),
      });
      await using server = await start([[outer, { name: 'source', enter: reply }]]);
      const answer = await ask(server.port, { http2 });
      expect(answer).toMatchObject({ status: 200, body: 'hello', complete: true });
      expect(answer.headers['x-a']).toBe('1');
      expect(await outer.left()).toMatchObject({ kind: 'ok', by: 'source' });
    });

    test('a source that is cut breaks the connection, and is an error', async () => {
      const outer = spy('outer');
      const reply = (): Reply => ({ status: 200, kind: 'ok', body: pushing(['begun'], 'abort') });
      await using server = await start([[outer, { name: 'source', enter: reply }]]);
      const answer = await ask(server.port, { http2 }).catch(() => ({ complete: false }));
      expect(answer.complete).toBe(false);
      expect(await outer.left()).toMatchObject({ kind: 'error' });
    });

    test('no source is started for HEAD', async () => {
      const source = pushing(['hello']);
      await using server = await start([{ name: 'source', enter: () => ({ status: 200, body: source }) }]);
      expect(await ask(server.port, { http2, method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
      expect(source).toMatchObject({ started: 0, cancelled: 1 });
    });

    test('a client that leaves a streamed reply cancels its source', async () => {
      let cancel = (): void => {};
      const cancelled = new Promise<void>((resolve) => (cancel = resolve));
      const body = { start: (sink: Sink) => void sink.write(Buffer.from('first')), resume() {}, cancel };
      await using server = await start([{ name: 'source', enter: () => ({ status: 200, body }) }]);
      leave(server.port, '/hello', 'first byte', http2);
      await cancelled;
    });

    test('a rewritten request header is what the handler and later policies see', async () => {
      const seen: (string | undefined)[] = [];
      await using server = await start([
        [
          (x: Exchange) => {
            x.body?.setRequestHeader('x-tenant', 'a');
            x.body?.setRequestHeader('x-secret', undefined);
          },
          (x: Exchange) => void seen.push(x.header('x-tenant'), x.header('x-secret')),
        ],
      ]);
      const { body } = await ask(server.port, { http2, path: '/seen', headers: { 'x-secret': 's' } });
      expect(seen).toEqual(['a', undefined]);
      expect(JSON.parse(body)).toMatchObject({ 'x-tenant': 'a' });
      expect(JSON.parse(body)).not.toHaveProperty('x-secret');
    });

    test('a policy may take the request body instead of the handler', async () => {
      const reader: Policy = {
        name: 'reader',
        enter: (x) =>
          new Promise<Reply>((resolve, reject) => {
            const chunks: Uint8Array[] = [];
            x.body?.requestBody()?.start({
              write: (chunk) => chunks.push(chunk) > 0,
              end: () => resolve({ status: 200, body: Buffer.concat(chunks).toString().toUpperCase() }),
              abort: reject,
            });
          }),
      };
      await using server = await start([reader]);
      const body = 'abc'.repeat(30_000);
      expect((await ask(server.port, { http2, method: 'POST', path: '/echo', body })).body).toBe(
        body.toUpperCase(),
      );
    });

    test('a GET has no request body', async () => {
      let body: unknown = 'not asked';
      await using server = await start([(x: Exchange) => void (body = x.body?.requestBody())]);
      await ask(server.port, { http2 });
      expect(body).toBeUndefined();
    });

    test('taps see the head without the headers of policies, and the whole body, before the leaves run', async () => {
      const log: unknown[] = [];
      const outer = spy('outer', { enter: (x) => x.setHeader('ratelimit', '"a";r=1') });
      const tapping: Policy = {
        name: 'tap',
        enter(x) {
          const chunks: Buffer[] = [];
          x.body?.tap({
            head: ({ status, headers }) =>
              void log.push(status, headers.includes('ratelimit'), headers.includes('x-own')),
            chunk: (chunk) => void chunks.push(Buffer.from(chunk)),
            end: (complete) => void log.push(Buffer.concat(chunks).toString(), complete),
          });
          return () => void log.push('left');
        },
      };
      await using server = await start([[outer, tapping]]);
      const answer = await ask(server.port, { http2, path: '/own' });
      expect(answer).toMatchObject({ status: 200, body: 'own' });
      expect(answer.headers).toMatchObject({ ratelimit: '"a";r=1', 'x-own': 'handler' });
      await outer.left();
      expect(log).toEqual([200, false, true, 'own', true, 'left']);
    });

    test('a tap follows a stream', async () => {
      let whole = '';
      const watch = spy('watch', {
        enter: (x) => x.body?.tap({ chunk: (chunk) => void (whole += Buffer.from(chunk).toString()) }),
      });
      await using server = await start([watch]);
      expect((await ask(server.port, { http2, path: '/stream' })).body).toBe('abc');
      await watch.left();
      expect(whole).toBe('abc');
    });

    test('a tap may replace the response; inner taps are told, outer ones see the replacement', async () => {
      const log: string[] = [];
      const tap = (id: string, reply?: Reply): Policy => ({
        name: id,
        enter(x) {
          x.setHeader(`x-${id}`, 'set');
          x.body?.tap({
            head(head) {
              log.push(`${id} head ${head.status}`);
              return reply;
            },
            chunk: (chunk) => void log.push(`${id} chunk ${Buffer.from(chunk).toString()}`),
            end: (complete) => void log.push(`${id} end ${complete}`),
          });
        },
      });
      const outcome = spy('outcome');
      const replacement: Reply = { status: 203, kind: 'ok', headers: ['x-new', '1'], body: 'replaced' };
      await using server = await start([[outcome, tap('outer'), tap('middle', replacement), tap('inner')]]);
      const answer = await ask(server.port, { http2, path: '/own' });
      expect(answer).toMatchObject({ status: 203, body: 'replaced', complete: true });
      expect(answer.headers).toMatchObject({ 'x-new': '1', 'x-outer': 'set', 'x-inner': 'set' });
      expect(answer.headers).not.toHaveProperty('x-own');
      expect(await outcome.left()).toMatchObject({ status: 203, kind: 'ok', by: 'middle' });
      expect(log).toEqual([
        'inner head 200',
        'middle head 200',
        'inner end false',
        'middle end true',
        'outer head 203',
        'outer chunk replaced',
        'outer end true',
      ]);
    });

    test('a tap that throws is detached, and the response goes on', async () => {
      const ends: boolean[] = [];
      const bad: Policy = {
        name: 'bad',
        enter: (x) =>
          x.body?.tap({
            chunk() {
              throw new Error('full');
            },
            end: (complete) => void ends.push(complete),
          }),
      };
      await using server = await start([bad]);
      expect(await ask(server.port, { http2, path: '/stream' })).toMatchObject({ status: 200, body: 'abc' });
      expect(ends).toEqual([false]);
    });

    test('a cut response is not complete for a tap', async () => {
      const ends: boolean[] = [];
      const watch = spy('watch', {
        enter: (x) => x.body?.tap({ end: (complete) => void ends.push(complete) }),
      });
      await using server = await start([watch]);
      leave(server.port, '/drip', 'first byte', http2);
      await watch.left();
      expect(ends).toEqual([false]);
    });

    test('a tap sees what an inner policy replies', async () => {
      let seen = '';
      const outer = spy('outer', {
        enter: (x) => x.body?.tap({ chunk: (chunk) => void (seen += Buffer.from(chunk).toString()) }),
      });
      const reply = (): Reply => ({ status: 200, kind: 'ok', body: pushing(['he', 'llo']) });
      await using server = await start([[outer, { name: 'source', enter: reply }]]);
      expect((await ask(server.port, { http2 })).body).toBe('hello');
      await outer.left();
      expect(seen).toBe('hello');
    });
  });
});
