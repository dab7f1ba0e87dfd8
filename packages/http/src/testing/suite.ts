import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { createKey, type Exchange, type Outcome, type Policy, problem, type Reply } from '@weir/core';
import type { Policies } from '../internal/policies.ts';
import type { HttpOptions } from '../internal/settings.ts';
import { bodyCases } from './bodies.ts';
import { type Answer, type Ask, ask, leave } from './client.ts';
import type { HostUnderTest, Running } from './host.ts';
import { moment, spy, tick } from './spy.ts';

/** One thing that an adapter must do. */
export interface ConformanceCase {
  /** A sentence. */
  readonly name: string;
  /** Rejects with an `AssertionError` if the adapter does not. */
  run(): Promise<void>;
}

/** What the cases work with: the host, and requests to it. */
export interface Bench {
  readonly host: HostUnderTest;
  cannot(what: NonNullable<HostUnderTest['cannot']>[number]): boolean;
  /** Starts the host; each element of `mounts` is a mount of its own. */
  start(mounts: readonly Policies[], options?: HttpOptions): Promise<Running>;
  ask(server: Running, options?: Ask): Promise<Answer>;
  leave(server: Running, path: string, when: Promise<unknown> | 'first byte'): void;
}

/**
 * What every adapter must do, as cases for any test runner. Needs node:http as a client, which Bun and Deno have too.
 *
 * @example
 * for (const { name, run } of conformanceCases(myHost)) test(name, run);
 */
export function conformanceCases(host: HostUnderTest): readonly ConformanceCase[] {
  const http2 = host.http2 ?? false;
  const bench: Bench = {
    host,
    cannot: (what) => host.cannot?.includes(what) ?? false,
    start: (mounts, options) => host.start(mounts, { onFault: () => {}, ...options }),
    ask: (server, options) => ask(server.port, { http2, ...options }),
    leave: (server, path, when) => leave(server.port, path, when, http2),
  };
  return [
    ...passing(bench),
    ...refusing(bench),
    ...leaving(bench),
    ...going(bench),
    ...failing(bench),
    ...bodyCases(bench),
  ];
}

/** Asserts that an outcome or an answer has these properties. */
export function has<T extends object>(actual: T, expected: Partial<T>): void {
  const seen = Object.fromEntries(Object.keys(expected).map((name) => [name, actual[name as keyof T]]));
  deepEqual(seen, expected);
}

const refusal: Reply = problem(429, { headers: ['retry-after', '7'] });

function passing({ host, start, ask, cannot }: Bench): ConformanceCase[] {
  const passes: Policy = { name: 'passes', enter() {} };
  const passesLater: Policy = { name: 'passes later', enter: () => tick() };
  return [
    ...[passes, passesLater].map((policy) => ({
      name: `a policy that ${policy.name} lets the handler answer`,
      async run() {
        await using server = await start([policy]);
        has(await ask(server), { status: 200, body: 'hello', complete: true });
        has(await ask(server, { path: '/async' }), { status: 200, body: 'hello' });
      },
    })),
    {
      name: 'a HEAD request passes',
      async run() {
        await using server = await start([passes]);
        has(await ask(server, { method: 'HEAD' }), { status: 200, body: '', complete: true });
      },
    },
    ...(
      [
        ['/missing', 404],
        ['/redirect', 302],
        ['/empty', 204],
        ['/unchanged', 304],
        ['/own', 200],
        ['/stream', 200],
      ] as const
    ).map(([path, status]) => ({
      name: `headers set and appended survive ${path} (${status}), and the handler wins`,
      async run() {
        const both = spy('headers', {
          enter(x) {
            x.setHeader('x-policy', 'policy');
            x.setHeader('x-shared', 'policy');
            x.appendHeader('x-list', 'one');
            x.appendHeader('x-list', 'two');
          },
        });
        await using server = await start([both]);
        const { headers, ...answer } = await ask(server, { path });
        equal(answer.status, status);
        has(headers, {
          'x-policy': 'policy',
          'x-list': 'one, two',
          'x-shared': path === '/own' ? 'handler' : 'policy',
          'x-own': path === '/own' ? 'handler' : undefined,
        });
        has(await both.left(), { status, kind: 'ok' });
      },
    })),
    {
      name: 'two requests at once do not see each other',
      async run() {
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
        const end = spy('end');
        await using server = await start([[end, both]]);
        await Promise.all(['ann', 'bob'].map((id) => ask(server, { headers: { 'x-id': id } })));
        while (end.outcomes.length < 2) await tick();
        deepEqual(seen.toSorted(), ['ann is ann', 'bob is bob']);
      },
    },
    {
      name: 'what a policy reads is the request as received',
      async run() {
        let seen: Partial<Exchange> = {};
        await using server = await start([
          (x: Exchange) => {
            seen = {
              method: x.method,
              url: x.url,
              path: x.path,
              host: x.host,
              protocol: x.protocol,
              ip: x.ip,
            };
          },
        ]);
        await ask(server, { path: '/echo?a=1&a=2', method: 'POST', body: 'x' });
        deepEqual(seen, {
          method: 'POST',
          url: '/echo?a=1&a=2',
          path: '/echo',
          host: `127.0.0.1:${server.port}`,
          protocol: 'http',
          ip: cannot('address') ? 'unknown' : '127.0.0.1',
        });
      },
    },
    {
      name: `a value left on an exchange is there in the next mount of ${host.name}`,
      async run() {
        const note = createKey<string>('note');
        let seen: string | undefined;
        await using server = await start([
          (x: Exchange) => x.set(note, 'kept'),
          (x: Exchange) => {
            seen = x.get(note);
          },
        ]);
        await ask(server);
        equal(seen, 'kept');
      },
    },
  ];
}

function refusing({ start, ask }: Bench): ConformanceCase[] {
  const at: readonly (readonly [string, Policy['enter']])[] = [
    ['at once', () => refusal],
    ['later', async () => tick().then(() => refusal)],
  ];
  return [
    ...at.map(([when, enter]) => ({
      name: `a refusal given ${when} is sent whole, and outer policies see who refused`,
      async run() {
        const outer = spy('outer');
        await using server = await start([[outer, { name: 'door', enter }]]);
        const answer = await ask(server);
        equal(answer.status, 429);
        has(answer.headers, { 'retry-after': '7', 'content-type': 'application/problem+json' });
        deepEqual(JSON.parse(answer.body), { title: 'Too Many Requests', status: 429 });
        has(await outer.left(), { status: 429, kind: 'rejected', by: 'door' });
      },
    })),
    ...[1_000, 100_000].map((length) => ({
      name: `a reply of ${length} bytes arrives byte for byte`,
      async run() {
        // From within a larger piece of memory, as bodies that were received are.
        const bytes = Uint8Array.from({ length: length + 8 }, (_, i) => i).subarray(8);
        const headers = ['content-type', 'application/octet-stream'];
        await using server = await start([
          { name: 'bytes', enter: () => ({ status: 200, headers, body: bytes }) },
        ]);
        const answer = await ask(server);
        equal(answer.headers['content-type'], 'application/octet-stream');
        deepEqual(answer.bytes, Buffer.from(bytes));
      },
    })),
    {
      name: 'a refused HEAD has no body',
      async run() {
        await using server = await start([{ name: 'door', enter: () => refusal }]);
        has(await ask(server, { method: 'HEAD' }), { status: 429, body: '', complete: true });
      },
    },
    {
      name: 'a refused POST leaves its connection fit for the next request',
      async run() {
        let refuse = true;
        await using server = await start([{ name: 'door', enter: () => (refuse ? refusal : undefined) }]);
        const body = 'x'.repeat(20_000);
        has(await ask(server, { method: 'POST', path: '/echo', body, keepAlive: true }), { status: 429 });
        refuse = false;
        const next = await ask(server, { method: 'POST', path: '/echo', body: 'again', keepAlive: true });
        has(next, { status: 200, body: 'again' });
      },
    },
  ];
}

function leaving({ start, ask }: Bench): ConformanceCase[] {
  return [
    {
      name: 'leaves run once, inside out, with the status and how it ended',
      async run() {
        const order: string[] = [];
        const named = (id: string): Policy => ({ name: id, enter: () => () => void order.push(id) });
        const last = spy('outermost');
        await using server = await start([[last, named('a'), named('b')], named('c')]);
        await ask(server);
        has(await last.left(), { status: 200, kind: 'ok', by: undefined });
        deepEqual(order, ['c', 'b', 'a']);
        await tick();
        equal(last.outcomes.length, 1);
      },
    },
    {
      name: 'a stream goes through, and its end is the end',
      async run() {
        const end = spy('end');
        const head = spy('head', { until: 'head' });
        await using server = await start([[end, head]]);
        has(await ask(server, { path: '/stream' }), { body: 'abc', complete: true });
        has(await end.left(), { status: 200, kind: 'ok' });
        has(await head.left(), { status: 200, kind: 'ok' });
      },
    },
    {
      name: 'a leave that throws is reported and does not stop the others',
      async run() {
        const faults: string[] = [];
        const outer = spy('outer');
        const bad: Policy = {
          name: 'bad',
          enter: () => () => {
            throw new Error('oops');
          },
        };
        await using server = await start([[outer, bad]], { onFault: (_error, where) => faults.push(where) });
        await ask(server);
        has(await outer.left(), { kind: 'ok' });
        deepEqual(faults, ['leaving policy "bad"']);
      },
    },
    {
      name: 'work handed to waitUntil may fail without harm',
      async run() {
        const reported = moment();
        await using server = await start(
          [(x: Exchange) => x.waitUntil(Promise.reject(new Error('mail not sent')))],
          { onFault: reported.reach },
        );
        equal((await ask(server)).status, 200);
        await reported.reached;
      },
    },
  ];
}

/** The client goes away. */
function going({ start, leave, cannot }: Bench): ConformanceCase[] {
  const cases: ConformanceCase[] = [
    {
      name: 'until head leaves while an endless stream goes on; until end when the client has gone',
      async run() {
        const end = spy('end');
        const head = spy('head', { until: 'head' });
        await using server = await start([[end, head]]);
        leave(server, '/drip', 'first byte');
        has(await head.left(), { status: 200, kind: 'ok' });
        const outcome = await end.left();
        has(outcome, { status: 200, kind: 'aborted' });
        ok(outcome.headMs <= outcome.durationMs);
      },
    },
  ];
  if (cannot('abort')) return cases;
  return [
    ...cases,
    {
      name: 'a client that leaves before the head makes the signal abort and everybody leave',
      async run() {
        const arrived = moment();
        let aborted = false;
        const end = spy('end', {
          enter(x) {
            x.signal.addEventListener('abort', () => {
              aborted = true;
            });
            arrived.reach();
          },
        });
        await using server = await start([end]);
        leave(server, '/hang', arrived.reached);
        has(await end.left(), { status: 0, kind: 'aborted' });
        ok(aborted);
      },
    },
    {
      name: 'a client that leaves while a policy decides: its leave runs last, the handler never',
      async run() {
        const arrived = moment();
        const decided = moment();
        const order: string[] = [];
        const note = (id: string) => (outcome: Outcome) => void order.push(`${id} ${outcome.kind}`);
        const outer = spy('outer', {});
        const slow: Policy = {
          name: 'slow',
          async enter() {
            arrived.reach();
            await decided.reached;
            return note('slow');
          },
        };
        const inner: Policy = {
          name: 'inner',
          enter() {
            order.push('inner entered');
          },
        };
        await using server = await start([
          [outer, { name: 'first', enter: () => note('first') }, slow, inner],
        ]);
        leave(server, '/hello', arrived.reached);
        has(await outer.left(), { status: 0, kind: 'aborted' });
        decided.reach();
        await tick();
        deepEqual(order, ['first aborted', 'slow aborted']);
      },
    },
  ];
}

/** Something throws. */
function failing({ start, ask, cannot }: Bench): ConformanceCase[] {
  const broken = new Error('store down');
  const throwing: readonly (readonly [string, Policy['enter']])[] = [
    [
      'throws',
      () => {
        throw broken;
      },
    ],
    ['rejects', () => Promise.reject(broken)],
  ];
  return [
    ...['/throw', '/throw-async'].map((path) => ({
      name: `a handler that fails at ${path} is an error, with the headers kept`,
      async run() {
        const watch = spy('watch', { enter: (x) => x.setHeader('ratelimit', '"a";r=1') });
        await using server = await start([watch]);
        const answer = await ask(server, { path });
        equal(answer.status, 500);
        equal(answer.headers.ratelimit, cannot('error-headers') ? undefined : '"a";r=1');
        has(await watch.left(), { status: 500, kind: 'error' });
      },
    })),
    ...throwing.map(([how, enter]) => ({
      name: `an enter that ${how} answers 500, unless it may fail open`,
      async run() {
        const outer = spy('outer');
        {
          await using server = await start([[outer, { name: 'closed', enter }]]);
          const answer = await ask(server);
          equal(answer.status, 500);
          ok(!answer.body.includes('store down'));
          const outcome = await outer.left();
          has(outcome, { status: 500, kind: 'error', by: 'closed' });
          notEqual(outcome.error, undefined);
        }
        await using server = await start([{ name: 'open', onFault: 'open', enter }]);
        has(await ask(server), { status: 200, body: 'hello' });
      },
    })),
  ];
}
