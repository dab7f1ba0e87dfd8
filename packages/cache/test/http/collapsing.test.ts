import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Said } from './hosts.ts';
import { gate, type Script, type Stage, stage, until } from './stage.ts';

const fresh = { 'cache-control': 'max-age=60' };

/** An origin whose answers are held back until they are let go, one by one. */
function held(say: (count: number, headers: Record<string, unknown>) => Said): {
  script: Script;
  letGo(count: number): void;
} {
  const gates = new Map<number, ReturnType<typeof gate<void>>>();
  const of = (count: number) => {
    const found = gates.get(count) ?? gate();
    gates.set(count, found);
    return found;
  };
  return {
    script: async ({ headers }, _stage, count) => {
      await of(count).passed;
      return say(count, headers);
    },
    letGo: (count) => of(count).open(),
  };
}

const waiting = (made: Stage, count: number): Promise<void> =>
  until(() => made.cache.snapshot().waiting === count);

/** A request that is given up when told. */
function leaver(made: Stage): () => void {
  const req = request({ port: made.port, host: '127.0.0.1', path: '/', agent: false });
  req.on('error', () => {}).end();
  return () => void req.destroy();
}

describe('many requests for the same thing', () => {
  test('become one', async () => {
    const { script, letGo } = held((count) => ({ headers: fresh, body: `answer ${count}` }));
    await using made = await stage(script);
    const answers = Array.from({ length: 100 }, () => made.get());
    await waiting(made, 99);
    letGo(1);
    const all = await Promise.all(answers);
    expect(all.map(({ body }) => body)).toEqual(Array(100).fill('answer 1'));
    const collapsed = all.filter(({ headers }) => headers['cache-status']?.includes('; collapsed'));
    expect(collapsed).toHaveLength(99);
    expect(collapsed[0]?.headers['cache-status']).toBe('weir; fwd=uri-miss; ttl=60; collapsed');
    expect(made.seen).toHaveLength(1);
    expect(made.cache.snapshot()).toMatchObject({ miss: 1, collapsed: 99, waiting: 0 });
  });

  test('if the answer may not be stored, they go on side by side, and the next ones do not wait', async () => {
    const { script, letGo } = held((count) => ({
      headers: { 'cache-control': 'no-store' },
      body: `${count}`,
    }));
    await using made = await stage(script);
    const answers = Array.from({ length: 10 }, () => made.get());
    await waiting(made, 9);
    letGo(1);
    await until(() => made.seen.length === 10);
    answers.push(made.get({ 'if-none-match': '"own"' }));
    await until(() => made.seen.length === 11);
    expect(made.seen[10]?.headers['if-none-match']).toBe('"own"');
    for (let count = 2; count <= 11; count += 1) letGo(count);
    const bodies = (await Promise.all(answers)).map(({ body }) => body);
    expect(new Set(bodies).size).toBe(11);
    made.clock.advance('10s');
    const later = [made.get(), made.get()];
    await waiting(made, 1);
    letGo(12);
    letGo(13);
    await Promise.all(later);
  });

  test('the head is enough to know that it may not be stored', async () => {
    await using made = await stage((_request, _stage, count) =>
      count === 1 ? { headers: { 'cache-control': 'no-store' }, body: ['endless', 'stream'], cut: true } : {},
    );
    const first = made.get().catch(() => undefined);
    const second = made.get();
    await first;
    expect((await second).status).toBe(200);
  });

  test('a body that grows too large lets the others go on', async () => {
    const large = { headers: fresh, body: ['x'.repeat(600), 'x'.repeat(600)] };
    const { script, letGo } = held((count) => (count === 1 ? large : { headers: fresh, body: 'small' }));
    await using made = await stage(script, { maxEntryBytes: 1_000 });
    const answers = [made.get(), made.get(), made.get()];
    await waiting(made, 2);
    letGo(1);
    letGo(2);
    letGo(3);
    expect((await Promise.all(answers)).map(({ body }) => body.length).sort()).toEqual([1200, 5, 5]);
    expect(made.cache.snapshot().tooLarge).toBe(1);
  });

  test('the others each ask for themselves where an answer is good for one request only', async () => {
    const { script, letGo } = held((count) => ({
      headers: { 'cache-control': 'no-cache', etag: '"a"' },
      body: `${count}`,
    }));
    await using made = await stage(script);
    const answers = Array.from({ length: 5 }, () => made.get());
    await waiting(made, 4);
    letGo(1);
    await until(() => made.seen.length === 5);
    for (let count = 2; count <= 5; count += 1) letGo(count);
    expect(new Set((await Promise.all(answers)).map(({ body }) => body)).size).toBe(5);
  });

  test('one variant is fetched once, and others are not held up', async () => {
    const { script, letGo } = held((count, headers) => ({
      headers: { ...fresh, vary: 'x' },
      body: `${headers.x} ${count}`,
    }));
    await using made = await stage(script);
    const all = [made.get({ x: 'a' })];
    await until(() => made.seen.length === 1);
    all.push(...['a', 'b', 'b', 'b'].map((x) => made.get({ x })));
    await waiting(made, 4);
    letGo(1);
    await until(() => made.seen.length === 2);
    await waiting(made, 2);
    letGo(2);
    const bodies = (await Promise.all(all)).map(({ body }) => body);
    expect(bodies).toEqual(['a 1', 'a 1', 'b 2', 'b 2', 'b 2']);
    expect(made.seen).toHaveLength(2);
  });

  test('what is asked for in another way does not wait: ranges, credentials, other hosts, HEAD, no-store', async () => {
    const { script, letGo } = held(() => ({ headers: fresh }));
    await using made = await stage(script);
    const all = [made.get()];
    await until(() => made.seen.length === 1);
    const odd = [
      { range: 'bytes=0-1' },
      { authorization: 'Basic a' },
      { host: 'other.example' },
      { 'x-forwarded-host': 'other.example' },
      { 'cache-control': 'no-store' },
    ];
    for (const headers of odd) all.push(made.get(headers as Record<string, string>));
    all.push(made.get({}, { method: 'HEAD' }), made.get({}, { path: '/?other' }));
    await until(() => made.seen.length === 8);
    expect(made.cache.snapshot().waiting).toBe(0);
    for (let count = 1; count <= 8; count += 1) letGo(count);
    await Promise.all(all);
  });

  test('waiting can be switched off, and has an end', async () => {
    const { script, letGo } = held((count) => ({ headers: fresh, body: `${count}` }));
    await using off = await stage(script, { maxWait: 0 });
    const both = [off.get(), off.get()];
    await until(() => off.seen.length === 2);
    letGo(1);
    letGo(2);
    await Promise.all(both);

    const second = held((count) => ({ headers: fresh, body: `${count}` }));
    await using made = await stage(second.script, { maxWait: 5 });
    const first = made.get();
    await until(() => made.seen.length === 1);
    const impatient = made.get();
    await until(() => made.seen.length === 2);
    second.letGo(2);
    expect((await impatient).body).toBe('2');
    second.letGo(1);
    expect((await first).body).toBe('1');
    // What was asked for earlier does not replace what was asked for later.
    expect((await made.get()).body).toBe('2');
  });
});

describe('clients that leave', () => {
  test('the first one: another takes its place', async () => {
    const { script, letGo } = held((count) => ({ headers: fresh, body: `answer ${count}` }));
    await using made = await stage(script);
    const leave = leaver(made);
    await until(() => made.seen.length === 1);
    const others = [made.get(), made.get(), made.get()];
    await waiting(made, 3);
    leave();
    await until(() => made.seen.length === 2);
    await waiting(made, 2);
    letGo(1);
    letGo(2);
    expect((await Promise.all(others)).map(({ body }) => body)).toEqual(Array(3).fill('answer 2'));
    expect(made.seen).toHaveLength(2);
  });

  test('and so on, down to the last', async () => {
    const { script, letGo } = held((count) => ({ headers: fresh, body: `answer ${count}` }));
    await using made = await stage(script);
    const leavers = [leaver(made)];
    await until(() => made.seen.length === 1);
    for (let i = 1; i < 4; i += 1) {
      leavers.push(leaver(made));
      await waiting(made, i);
    }
    const last = made.get();
    await waiting(made, 4);
    for (let i = 0; i < 4; i += 1) {
      leavers[i]?.();
      await until(() => made.seen.length === i + 2);
    }
    letGo(5);
    expect((await last).body).toBe('answer 5');
  });

  test('one that waits is forgotten', async () => {
    const { script, letGo } = held((count) => ({ headers: fresh, body: `answer ${count}` }));
    await using made = await stage(script);
    const first = made.get();
    await until(() => made.seen.length === 1);
    const leave = leaver(made);
    await waiting(made, 1);
    leave();
    await waiting(made, 0);
    letGo(1);
    expect((await first).body).toBe('answer 1');
    expect(made.seen).toHaveLength(1);
  });

  test('the one that revalidates: the next one does', async () => {
    const { script, letGo } = held((count) => ({
      headers: { 'cache-control': 'max-age=10', etag: '"a"' },
      body: `${count}`,
    }));
    await using made = await stage(script);
    letGo(1);
    await made.get();
    made.clock.advance('30s');
    const leave = leaver(made);
    await until(() => made.seen.length === 2);
    const other = made.get({ 'if-none-match': '"a"' });
    await waiting(made, 1);
    leave();
    await until(() => made.seen.length === 3);
    expect(made.seen[2]?.headers['if-none-match']).toBe('"a"');
    letGo(3);
    expect((await other).body).toBe('3');
  });

  test('alone: nothing is left behind', async () => {
    const { script } = held(() => ({ headers: fresh }));
    await using made = await stage(script);
    const leave = leaver(made);
    await until(() => made.seen.length === 1);
    leave();
    const next = leaver(made);
    await until(() => made.seen.length === 2);
    next();
    expect(made.cache.snapshot()).toMatchObject({ entries: 0, waiting: 0 });
  });

  test('an origin that breaks off lets all the others go on at once', async () => {
    const { script, letGo } = held((count) =>
      count === 1 ? { headers: fresh, body: 'half', cut: true } : { headers: fresh, body: 'whole' },
    );
    await using made = await stage(script);
    const first = made.get();
    await until(() => made.seen.length === 1);
    const others = [made.get(), made.get(), made.get()];
    await waiting(made, 3);
    letGo(1);
    expect((await first).complete).toBe(false);
    await until(() => made.seen.length === 4);
    for (const count of [2, 3, 4]) letGo(count);
    expect((await Promise.all(others)).map(({ body }) => body)).toEqual(Array(3).fill('whole'));
  });
});
