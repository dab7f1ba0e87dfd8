import { deepEqual, equal } from 'node:assert/strict';
import type { Exchange, Policy, Reply, Sink, Source } from '@weir/core';
import { moment, spy, tick } from './spy.ts';
import { type Bench, type ConformanceCase, has } from './suite.ts';

const encoder = new TextEncoder();
const text = (chunk: Uint8Array): string => new TextDecoder().decode(chunk);

/** A source that pushes its chunks at once, and tells how it was used. */
function pushing(
  chunks: readonly string[],
  how: 'end' | 'abort' = 'end',
): Source & { readonly used: { started: number; cancelled: number } } {
  const used = { started: 0, cancelled: 0 };
  return {
    used,
    start(sink) {
      used.started += 1;
      for (const chunk of chunks) sink.write(encoder.encode(chunk));
      if (how === 'end') sink.end();
      else sink.abort(new Error('upstream cut'));
    },
    resume() {},
    cancel() {
      used.cancelled += 1;
    },
  };
}

const replies = (make: () => Reply): Policy => ({ name: 'source', enter: make });

/** What policies may do with bodies. */
export function bodyCases(bench: Bench): ConformanceCase[] {
  return [...sources(bench), ...requests(bench), ...taps(bench)];
}

function sources({ start, ask, leave, cannot }: Bench): ConformanceCase[] {
  return [
    {
      name: 'a reply may stream from a source',
      async run() {
        const outer = spy('outer');
        const reply = (): Reply => ({
          status: 200,
          kind: 'ok',
          headers: ['x-a', '1'],
          body: pushing(['he', 'llo']),
        });
        await using server = await start([[outer, replies(reply)]]);
        const answer = await ask(server);
        has(answer, { status: 200, body: 'hello', complete: true });
        equal(answer.headers['x-a'], '1');
        has(await outer.left(), { kind: 'ok', by: 'source' });
      },
    },
    {
      name: 'a source whose length is told is sent with it',
      async run() {
        const headers = ['content-length', '5'];
        await using server = await start([
          replies(() => ({ status: 200, kind: 'ok', headers, body: pushing(['he', 'llo']) })),
        ]);
        const answer = await ask(server);
        has(answer, { status: 200, body: 'hello', complete: true });
        if (!cannot('length')) equal(answer.headers['content-length'], '5');
      },
    },
    {
      name: 'a source that is cut breaks the connection, and is an error',
      async run() {
        const outer = spy('outer');
        await using server = await start([
          [outer, replies(() => ({ status: 200, kind: 'ok', body: pushing(['begun'], 'abort') }))],
        ]);
        const answer = await ask(server).catch(() => ({ complete: false }));
        equal(answer.complete, false);
        has(await outer.left(), { kind: 'error' });
      },
    },
    {
      name: 'no source is started for HEAD',
      async run() {
        const source = pushing(['hello']);
        await using server = await start([replies(() => ({ status: 200, body: source }))]);
        has(await ask(server, { method: 'HEAD' }), { status: 200, body: '' });
        deepEqual(source.used, { started: 0, cancelled: 1 });
      },
    },
    {
      name: 'a client that leaves a streamed reply cancels its source',
      async run() {
        const cancelled = moment();
        let timer: ReturnType<typeof setInterval>;
        const body: Source = {
          start(sink: Sink) {
            timer = setInterval(() => sink.write(encoder.encode('drop')), 10);
          },
          resume() {},
          cancel() {
            clearInterval(timer);
            cancelled.reach();
          },
        };
        await using server = await start([replies(() => ({ status: 200, body }))]);
        leave(server, '/hello', 'first byte');
        await cancelled.reached;
      },
    },
  ];
}

function requests({ start, ask }: Bench): ConformanceCase[] {
  return [
    {
      name: 'a rewritten request header is what the handler and later policies see',
      async run() {
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
        const answer = await ask(server, { path: '/seen', headers: { 'x-secret': 's' } });
        deepEqual(seen, ['a', undefined]);
        has(JSON.parse(answer.body), { 'x-tenant': 'a', 'x-secret': undefined });
      },
    },
    {
      name: 'a policy may take the request body instead of the handler',
      async run() {
        const reader: Policy = {
          name: 'reader',
          enter: (x) =>
            new Promise<Reply>((resolve, reject) => {
              let received = '';
              x.body?.requestBody()?.start({
                write: (chunk) => {
                  received += text(chunk);
                  return true;
                },
                end: () => resolve({ status: 200, body: received.toUpperCase() }),
                abort: reject,
              });
            }),
        };
        await using server = await start([reader]);
        const body = 'abc'.repeat(30_000);
        equal((await ask(server, { method: 'POST', path: '/echo', body })).body, body.toUpperCase());
      },
    },
    {
      name: 'a GET has no request body',
      async run() {
        let body: unknown = 'not asked';
        await using server = await start([
          (x: Exchange) => {
            body = x.body?.requestBody();
          },
        ]);
        await ask(server);
        equal(body, undefined);
      },
    },
  ];
}

function taps({ start, ask, leave }: Bench): ConformanceCase[] {
  return [
    {
      name: 'a tap sees the head without the headers of policies, and the whole body, before the leaves run',
      async run() {
        const log: unknown[] = [];
        const outer = spy('outer', { enter: (x) => x.setHeader('ratelimit', '"a";r=1') });
        const tapping: Policy = {
          name: 'tap',
          enter(x) {
            let body = '';
            x.body?.tap({
              head: ({ status, headers }) =>
                void log.push(status, headers.includes('ratelimit'), headers.includes('x-own')),
              chunk(chunk) {
                body += text(chunk);
              },
              end: (complete) => void log.push(body, complete),
            });
            return () => void log.push('left');
          },
        };
        await using server = await start([[outer, tapping]]);
        const answer = await ask(server, { path: '/own' });
        has(answer, { status: 200, body: 'own' });
        has(answer.headers, { ratelimit: '"a";r=1', 'x-own': 'handler' });
        await outer.left();
        deepEqual(log, [200, false, true, 'own', true, 'left']);
      },
    },
    {
      name: 'a tap follows a stream',
      async run() {
        let whole = '';
        const watch = spy('watch', {
          enter: (x) =>
            x.body?.tap({
              chunk(chunk) {
                whole += text(chunk);
              },
            }),
        });
        await using server = await start([watch]);
        equal((await ask(server, { path: '/stream' })).body, 'abc');
        await watch.left();
        equal(whole, 'abc');
      },
    },
    {
      name: 'a tap may replace the response; inner taps are told, outer ones see the replacement',
      async run() {
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
              chunk: (chunk) => void log.push(`${id} chunk ${text(chunk)}`),
              end: (complete) => void log.push(`${id} end ${complete}`),
            });
          },
        });
        const outcome = spy('outcome');
        const replacement: Reply = { status: 203, kind: 'ok', headers: ['x-new', '1'], body: 'replaced' };
        await using server = await start([[outcome, tap('outer'), tap('middle', replacement), tap('inner')]]);
        const answer = await ask(server, { path: '/own' });
        has(answer, { status: 203, body: 'replaced', complete: true });
        has(answer.headers, { 'x-new': '1', 'x-outer': 'set', 'x-inner': 'set', 'x-own': undefined });
        has(await outcome.left(), { status: 203, kind: 'ok', by: 'middle' });
        deepEqual(log, [
          'inner head 200',
          'middle head 200',
          'inner end false',
          'middle end true',
          'outer head 203',
          'outer chunk replaced',
          'outer end true',
        ]);
      },
    },
    {
      name: 'a tap may replace the response with a source',
      async run() {
        const source = pushing(['re', 'placed']);
        const outer = spy('outer', {
          enter: (x) => x.body?.tap({ head: () => ({ status: 203, body: source }) }),
        });
        await using server = await start([outer]);
        has(await ask(server, { path: '/stream' }), { status: 203, body: 'replaced', complete: true });
        deepEqual(source.used, { started: 1, cancelled: 0 });
      },
    },
    {
      name: 'a tap that throws is detached, and the response goes on',
      async run() {
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
        has(await ask(server, { path: '/stream' }), { status: 200, body: 'abc' });
        deepEqual(ends, [false]);
      },
    },
    {
      name: 'a response that the client left is not complete for a tap',
      async run() {
        const ends: boolean[] = [];
        const watch = spy('watch', {
          enter: (x) => x.body?.tap({ end: (complete) => void ends.push(complete) }),
        });
        await using server = await start([watch]);
        leave(server, '/drip', 'first byte');
        await watch.left();
        deepEqual(ends, [false]);
      },
    },
    {
      name: 'a tap sees what an inner policy replies',
      async run() {
        let seen = '';
        const outer = spy('outer', {
          enter: (x) =>
            x.body?.tap({
              chunk(chunk) {
                seen += text(chunk);
              },
            }),
        });
        const reply = (): Reply => ({ status: 200, kind: 'ok', body: pushing(['he', 'llo']) });
        await using server = await start([[outer, replies(reply)]]);
        equal((await ask(server)).body, 'hello');
        await outer.left();
        equal(seen, 'hello');
      },
    },
    {
      name: 'bodies are arranged while policies enter, not later',
      async run() {
        let error: unknown;
        const done = moment();
        const late: Policy = {
          name: 'late',
          enter: (x) => {
            x.waitUntil(
              tick().then(() => {
                try {
                  x.body?.tap({});
                } catch (thrown) {
                  error = thrown;
                }
                done.reach();
              }),
            );
          },
        };
        await using server = await start([late]);
        await ask(server);
        await done.reached;
        equal((error as Error | undefined)?.message.includes('tap()'), true);
      },
    },
  ];
}
