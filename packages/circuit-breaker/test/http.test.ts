import { createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock } from '@weir/core/testing';
import { weir as onFetch } from '@weir/http/fetch';
import { weir } from '@weir/http/node';
import { afterEach, expect, it } from 'vitest';
import { type CircuitBreakerOptions, circuitBreaker } from '../src/index.ts';
import { createOpossumBreaker } from '../src/opossum.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server whose handler is told what to do by each request's path. */
async function serve(options: CircuitBreakerOptions, { refuseInside = false } = {}) {
  const policy = circuitBreaker(options);
  const limiter = { name: 'limiter', enter: () => ({ status: 429 }) };
  let calls = 0;
  const hanging: ServerResponse[] = [];
  const answer = (path: string, response: ServerResponse): void => {
    calls += 1;
    if (path === '/hang') hanging.push(response);
    else if (path === '/throw') throw new Error('down');
    else response.writeHead(Number(path.slice(1))).end('from the handler');
  };
  const guard = weir(refuseInside ? [policy, limiter] : policy, { onFault: () => {} });
  const server = createServer(
    guard.wrap((incoming, response) => answer(incoming.url!, response as ServerResponse)),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const get = async (path: string): Promise<Response> => {
    const response = await fetch(url + path);
    await response.clone().arrayBuffer();
    return response;
  };
  return { policy, url, get, hanging, calls: () => calls };
}

const until = async (happened: () => boolean): Promise<void> => {
  while (!happened()) await new Promise((resolve) => setImmediate(resolve));
};

it('holds requests back over a real connection while the handler fails, then probes and closes', async () => {
  const clock = new ManualClock();
  const { get, calls, policy } = await serve({ minimumCalls: 4, openFor: '10s', clock });
  for (const path of ['/200', '/500', '/throw', '/503']) await get(path);
  expect(policy.breaker!.state).toBe('open');
  const refused = await get('/200');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('10');
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
  expect(await refused.json()).toMatchObject({ status: 503, title: 'Service Unavailable' });
  expect(calls()).toBe(4);
  clock.advance('10s');
  expect((await get('/200')).status).toBe(200);
  expect(policy.breaker!.state).toBe('closed');
});

it('lets one of many concurrent requests probe', async () => {
  const clock = new ManualClock();
  const { get, calls, policy, hanging } = await serve({ minimumCalls: 1, openFor: '10s', clock });
  await get('/500');
  clock.advance('10s');
  const all = Promise.all(Array.from({ length: 50 }, () => get('/hang')));
  await until(
    () =>
      hanging.length > 0 &&
      policy
        .breaker!.metrics()
        .some(
          ({ labels, ...sample }) => labels.result === 'refused' && 'value' in sample && sample.value === 49,
        ),
  );
  hanging[0]!.end('probed');
  const statuses = (await all).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(calls()).toBe(2);
  expect(policy.breaker!.state).toBe('closed');
});

it.each(['createBreaker', 'createOpossumBreaker'])(
  'takes clients that leave for nothing, and lets the next one probe, on %s',
  async (engine) => {
    const options = { minimumCalls: 3, openFor: '1h' } as const;
    const breaker = engine === 'createOpossumBreaker' ? createOpossumBreaker(options) : undefined;
    const { url, hanging, policy, get } = await serve(breaker === undefined ? options : { breaker });
    const ignored = (): number =>
      policy
        .breaker!.metrics()
        .reduce(
          (sum, sample) => sum + ('value' in sample && sample.labels.result === 'ignored' ? sample.value : 0),
          0,
        );
    for (let i = 0; i < 5; i += 1) {
      const outgoing = request(`${url}/hang`).on('error', () => {});
      outgoing.end();
      await until(() => hanging.length === i + 1);
      outgoing.destroy();
      await until(() => ignored() === i + 1);
    }
    expect(policy.breaker!.state).toBe('closed');
    await get('/404');
    await get('/429');
    expect(policy.breaker!.state).toBe('closed');
    breaker?.close?.();
  },
);

it('takes what a policy further in refused for nothing', async () => {
  const { get, policy } = await serve({ minimumCalls: 1 }, { refuseInside: true });
  for (let i = 0; i < 5; i += 1) expect((await get('/200')).status).toBe(429);
  expect(policy.breaker!.snapshot()).toMatchObject({ state: 'closed', calls: 0 });
});

it('guards a fetch handler, with a breaker for each host and a stale copy in reserve', async () => {
  const policy = circuitBreaker({
    minimumCalls: 1,
    key: (x) => x.host,
    fallback: (x) => (x.path === '/page' ? { status: 200, body: 'stale', kind: 'ok' } : undefined),
  });
  const handle = onFetch(policy).wrap((incoming: Request) =>
    incoming.url.startsWith('http://bad.example')
      ? new Response('down', { status: 500 })
      : new Response('fresh'),
  );
  const get = async (url: string) => {
    const response = await handle(new Request(url, { headers: { host: new URL(url).host } }));
    return [response.status, (await response.text()).slice(0, 5)];
  };
  expect(await get('http://bad.example/page')).toEqual([500, 'down']);
  expect(await get('http://bad.example/page')).toEqual([200, 'stale']);
  expect((await get('http://bad.example/other'))[0]).toBe(503);
  expect(await get('http://good.example/page')).toEqual([200, 'fresh']);
});
