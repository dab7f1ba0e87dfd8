import { describe, expect, test } from 'vitest';
import { everyAdapter, frameworks } from './hosts.ts';
import { counting, gate, type Script, stage, until } from './stage.ts';

const cases = [
  ...frameworks.map((host) => ({ kind: 'its own handler', host })),
  ...everyAdapter.map((host) => ({ kind: 'a policy behind', host })),
];

describe.each(cases)('$host.name, $kind', ({ host }) => {
  test('hit, HEAD, 304 and part out of one stored response', async () => {
    const headers = {
      'cache-control': 'max-age=60',
      etag: '"a"',
      'content-type': 'text/plain; charset=utf-8',
      'x-own': 'caf\u00e9',
    };
    await using made = await stage(counting(headers), {}, host);
    expect(await made.get()).toMatchObject({ status: 200, body: 'answer 1', complete: true });
    made.clock.advance('3s');
    const hit = await made.get();
    expect(hit).toMatchObject({ status: 200, body: 'answer 1', complete: true });
    expect(hit.headers).toMatchObject({ ...headers, age: '3', 'cache-status': 'weir; hit; ttl=57' });
    const head = await made.get({}, { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers).toMatchObject({ age: '3', 'content-type': 'text/plain; charset=utf-8' });
    const unchanged = await made.get({ 'if-none-match': '"a"' });
    expect(unchanged).toMatchObject({ status: 304, body: '' });
    expect(unchanged.headers).toMatchObject({ etag: '"a"', age: '3' });
    expect(unchanged.headers['content-length']).toBeUndefined();
    const part = await made.get({ range: 'bytes=0-1' });
    expect(part).toMatchObject({ status: 206, body: 'an' });
    expect(part.headers).toMatchObject({ 'content-range': 'bytes 0-1/8' });
    expect(made.seen).toHaveLength(1);
  });

  test('a 304 of the origin becomes the stored response', async () => {
    const script: Script = ({ headers }, _stage, count) =>
      headers['if-none-match'] === '"a"'
        ? { status: 304, headers: { etag: '"a"', 'cache-control': 'max-age=10', 'x-count': `${count}` } }
        : { headers: { etag: '"a"', 'cache-control': 'max-age=10', 'x-count': `${count}` }, body: 'whole' };
    await using made = await stage(script, {}, host);
    await made.get();
    made.clock.advance('20s');
    for (let i = 0; i < 2; i += 1) {
      const answer = await made.get();
      expect(answer).toMatchObject({ status: 200, body: 'whole', complete: true });
      expect(answer.headers).toMatchObject({ 'x-count': '2', age: '0' });
    }
    expect(made.seen).toHaveLength(2);
  });

  test('one request for many', async () => {
    const released = gate();
    const script: Script = async (_request, _stage, count) => {
      await released.passed;
      return { headers: { 'cache-control': 'max-age=60' }, body: `answer ${count}` };
    };
    await using made = await stage(script, {}, host);
    const answers = Array.from({ length: 5 }, () => made.get());
    await until(() => made.cache.snapshot().waiting === 4);
    released.open();
    for (const answer of await Promise.all(answers))
      expect(answer).toMatchObject({ status: 200, body: 'answer 1', complete: true });
    expect(made.seen).toHaveLength(1);
  });

  test('what is stale stands in for an error', async () => {
    const script: Script = (_request, _stage, count) =>
      count === 1
        ? { headers: { 'cache-control': 'max-age=10, stale-if-error=60' }, body: 'good' }
        : { status: 503, body: 'down' };
    await using made = await stage(script, {}, host);
    await made.get();
    made.clock.advance('20s');
    expect(await made.get()).toMatchObject({ status: 200, body: 'good', complete: true });
    expect(made.seen).toHaveLength(2);
  });

  test('a POST invalidates, cookies and credentials keep responses out', async () => {
    const script: Script = ({ method, url }, _stage, count) => ({
      status: method === 'POST' ? 201 : 200,
      headers: {
        'cache-control': 'max-age=60',
        ...(url === '/cookie' ? { 'set-cookie': ['a=1', 'b=2'] } : {}),
      },
      body: `answer ${count}`,
    });
    await using made = await stage(script, {}, host);
    await made.get();
    await made.get({}, { method: 'POST', body: 'x' });
    expect((await made.get()).body).toBe('answer 3');
    for (let i = 0; i < 2; i += 1) {
      const { headers } = await made.get({}, { path: '/cookie' });
      expect(headers['set-cookie']).toEqual(['a=1', 'b=2']);
    }
    await made.get({ authorization: 'Basic a' }, { path: '/own' });
    await made.get({}, { path: '/own' });
    expect(made.seen).toHaveLength(7);
  });
});
