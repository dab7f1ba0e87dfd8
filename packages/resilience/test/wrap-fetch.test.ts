import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock } from '@weir/core/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  adaptiveThrottle,
  bulkhead,
  type FetchLike,
  type RetryOptions,
  type WrapFetchOptions,
  wrapFetch,
} from '../src/index.ts';

const servers: Server[] = [];
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A fetch that answers with these statuses in turn, the last one again and again. */
const answering = (statuses: number[], headers: { [name: string]: string } = {}) => {
  const cancelled: number[] = [];
  let calls = 0;
  const fake = vi.fn<FetchLike>(async () => {
    const status = statuses[Math.min(calls, statuses.length - 1)]!;
    calls += 1;
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode(`body of ${status}`)),
      cancel: () => void cancelled.push(status),
    });
    return new Response(body, { status, headers });
  });
  return { fake, cancelled };
};
const quick: WrapFetchOptions = { retry: { delay: 0, attempts: 3 } };
const url = 'https://prices.example/all?x=1';

describe('wrapFetch, repeating', () => {
  it('repeats an idempotent request over a real connection until it is answered', async () => {
    let seen = 0;
    const base = await serve((request, response) => {
      seen += 1;
      response.statusCode = seen < 3 ? 503 : 200;
      response.end(`${request.method} ${seen}`);
    });
    const response = await wrapFetch(fetch, quick)(`${base}/`, { method: 'PUT', body: 'x' });
    expect([response.status, await response.text()]).toEqual([200, 'PUT 3']);
  });

  it('repeats after a connection that was reset', async () => {
    let seen = 0;
    const base = await serve((request, response) => {
      seen += 1;
      if (seen === 1) request.socket.destroy();
      else response.end('up');
    });
    expect(await (await wrapFetch(fetch, quick)(base)).text()).toBe('up');
  });

  it('returns the last response as it is when attempts are used up, and cancels the others', async () => {
    const { fake, cancelled } = answering([502, 503, 504]);
    const response = await wrapFetch(fake, quick)(url);
    expect(response.status).toBe(504);
    expect(response.bodyUsed).toBe(false);
    expect(cancelled).toEqual([502, 503]);
    await response.body!.cancel();
  });

  it.each([
    ['a POST', { method: 'POST', body: 'x' }, 1],
    ['a POST with a key', { method: 'POST', body: 'x', headers: { 'Idempotency-Key': '1' } }, 3],
    ['a PUT of a stream', { method: 'PUT', body: new ReadableStream(), duplex: 'half' }, 1],
    ['a PUT of a form', { method: 'PUT', body: new URLSearchParams('a=1') }, 3],
    ['a PUT of bytes', { method: 'PUT', body: new Uint8Array(3) }, 3],
    ['a delete in lower case', { method: 'delete' }, 3],
  ])('makes of %s as many attempts as may be', async (_what, init, attempts) => {
    const { fake } = answering([503]);
    const response = await wrapFetch(fake, quick)(url, init as RequestInit);
    expect(response.status).toBe(503);
    expect(fake).toHaveBeenCalledTimes(attempts);
  });

  it('knows the method and the body of a Request', async () => {
    for (const [init, attempts] of [
      [{ method: 'GET' }, 3],
      [{ method: 'PUT', body: 'x' }, 1],
      [{ method: 'POST' }, 1],
    ] as const) {
      const { fake } = answering([503]);
      await wrapFetch(fake, quick)(new Request(url, init));
      expect(fake).toHaveBeenCalledTimes(attempts);
    }
  });

  it.each([
    [200, 1],
    [400, 1],
    [404, 1],
    [429, 3],
    [500, 1],
    [503, 3],
  ])('answers %i after so many attempts', async (status, attempts) => {
    const { fake } = answering([status]);
    expect((await wrapFetch(fake, quick)(url)).status).toBe(status);
    expect(fake).toHaveBeenCalledTimes(attempts);
  });

  it('waits as long as Retry-After says, in seconds or to a date', async () => {
    const clock = new ManualClock(0, Date.parse('2030-01-01T00:00:00Z'));
    const delays: number[] = [];
    const retry = {
      attempts: 2,
      delay: 0,
      maxDelay: 50,
      onRetry: (_error: unknown, _attempt: number, ms: number) => void delays.push(ms),
    };
    for (const value of ['0', 'Mon, 31 Dec 2029 00:00:00 GMT', 'soon']) {
      await wrapFetch(answering([503], { 'retry-after': value }).fake, { retry, clock })(url);
    }
    expect(delays).toEqual([0, 0, 0]);
    const { fake } = answering([503], { 'retry-after': 'Tue, 01 Jan 2030 00:00:01 GMT' });
    await wrapFetch(fake, { retry: { ...retry, maxDelay: 999 }, clock })(url);
    expect(fake).toHaveBeenCalledTimes(1);
    await wrapFetch(fake, { retry: { ...retry, maxDelay: 1000 }, clock })(url);
    expect(delays.at(-1)).toBe(1000);
  });

  it('shows the response that is no answer to those who decide about repetitions', async () => {
    const told: unknown[] = [];
    const retry: RetryOptions = {
      delay: 0,
      retryOn: (error) => (error as { response: Response }).response.status === 503,
      onRetry: (error) => void told.push((error as { response: Response }).response.status),
    };
    const { fake } = answering([503, 502]);
    expect((await wrapFetch(fake, { retry })(url)).status).toBe(502);
    expect(told).toEqual([503]);
  });

  it('never repeats if told so', async () => {
    const { fake } = answering([503]);
    await wrapFetch(fake, { retry: false })(url);
    expect(fake).toHaveBeenCalledTimes(1);
  });
});

describe('wrapFetch, in time', () => {
  const hanging: FetchLike = (_input, init) =>
    new Promise((_resolve, reject) => {
      const signal = init!.signal!;
      signal.addEventListener('abort', () => reject(signal.reason));
    });

  it('gives each attempt and the whole their time', async () => {
    const fake = vi.fn(hanging);
    const call = wrapFetch(fake, { timeout: 20, deadline: '10s', retry: { attempts: 3, delay: 0 } });
    await expect(call(url)).rejects.toMatchObject({
      code: 'ERR_WEIR_TIMEOUT',
      message: 'no answer within 20 ms',
    });
    expect(fake).toHaveBeenCalledTimes(3);
    await expect(call(url, { deadline: 10 })).rejects.toMatchObject({ message: 'no answer within 10 ms' });
  });

  it('rejects with the reason of the caller, and is not repeated', async () => {
    const fake = vi.fn(hanging);
    const controller = new AbortController();
    const reason = new Error('the client left');
    const result = wrapFetch(fake, { ...quick, timeout: '1h' })(url, { signal: controller.signal });
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
    expect(fake).toHaveBeenCalledTimes(1);
    await expect(wrapFetch(fake)(url, { signal: controller.signal })).rejects.toBe(reason);
  });

  it('lets the caller abort a body that is still being read', async () => {
    const base = await serve((_request, response) => void response.write('first'));
    const controller = new AbortController();
    const response = await wrapFetch(fetch, { timeout: '5s' })(base, { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(response.text()).rejects.toBe(reason);
  });

  it('tells the service how long it has', async () => {
    const seen: string[] = [];
    const base = await serve((request, response) => {
      seen.push(String(request.headers['x-deadline-ms']), String(request.headers.a));
      response.end();
    });
    const clock = new ManualClock();
    const options = { deadlineHeader: 'x-deadline-ms', clock } as const;
    await wrapFetch(fetch, { ...options, deadline: '5s' })(base, { headers: { a: 'b' } });
    await wrapFetch(fetch, { ...options, deadline: '5s', timeout: '2s' })(base);
    await wrapFetch(fetch, options)(base);
    expect(seen).toEqual(['5000', 'b', '2000', 'undefined', 'undefined', 'undefined']);
  });
});

describe('wrapFetch, with the rest of the kit', () => {
  const recorder = () => {
    const verdicts: string[] = [];
    return {
      verdicts,
      async execute<T>(
        fn: (signal: AbortSignal) => T | PromiseLike<T>,
        {
          signal,
          classify,
        }: { signal?: AbortSignal; classify?: (error: unknown, value: T | undefined) => string } = {},
      ): Promise<T> {
        try {
          const value = await fn(signal!);
          verdicts.push(classify!(undefined, value));
          return value;
        } catch (error) {
          verdicts.push(classify!(error, undefined));
          throw error;
        }
      },
    };
  };

  it('lets a breaker judge each attempt by its status', async () => {
    for (const [status, verdicts] of [
      [200, ['success']],
      [404, ['success']],
      [429, ['ignore', 'ignore', 'ignore']],
      [500, ['failure']],
      [503, ['failure', 'failure', 'failure']],
    ] as const) {
      const breaker = recorder();
      await wrapFetch(answering([status]).fake, { ...quick, breaker: breaker as never })(url);
      expect(breaker.verdicts).toEqual(verdicts);
    }
  });

  it('asks for the breaker of the URL', async () => {
    const asked: string[] = [];
    const breaker = (given: URL) => {
      asked.push(given.origin);
      return recorder() as never;
    };
    await wrapFetch(answering([200]).fake, { breaker })(url);
    expect(asked).toEqual(['https://prices.example']);
  });

  it('bounds the attempts under way, and is not repeated by what refuses it', async () => {
    const limit = bulkhead({ concurrency: 1 });
    const { fake } = answering([200]);
    const call = wrapFetch(fake, { ...quick, bulkhead: limit, throttle: adaptiveThrottle() });
    const [first, second] = await Promise.allSettled([call(url), call(url)]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ reason: { code: 'ERR_WEIR_BULKHEAD_FULL' } });
    expect(fake).toHaveBeenCalledTimes(1);
  });

  it('asks the limiter by origin, once a request', async () => {
    const wait = vi.fn(async (key: string) => ({
      allowed: key === 'https://prices.example',
      retryAfterMs: 700,
    }));
    const call = wrapFetch(answering([503, 200]).fake, { ...quick, limiter: { wait } });
    expect((await call(url)).status).toBe(200);
    expect(wait).toHaveBeenCalledTimes(1);
    await expect(call('https://other.example/')).rejects.toMatchObject({
      code: 'ERR_WEIR_LIMITED',
      retryAfterMs: 700,
    });
  });

  it('takes another upstream for each attempt, and says how each went', async () => {
    const bad = await serve((_request, response) => void response.writeHead(503).end());
    const good = await serve((request, response) => response.end(request.url));
    const released: unknown[] = [];
    const upstreams = [bad, good];
    const pool = {
      acquire: () => {
        const upstream = upstreams.shift();
        if (upstream === undefined) return undefined;
        return {
          upstream: { url: upstream },
          release: ({ outcome }: { outcome: string }) => void released.push(outcome),
        };
      },
    };
    const call = wrapFetch(fetch, { ...quick, pool });
    expect(await (await call(url)).text()).toBe('/all?x=1');
    expect(released).toEqual(['failure', 'ok']);
    await expect(call(url)).rejects.toMatchObject({ code: 'ERR_WEIR_NO_UPSTREAM' });
    upstreams.push(good);
    expect(await (await call(new Request(url))).text()).toBe('/all?x=1');
  });

  it('asks for an upstream that has not failed this request, and takes any before none', async () => {
    const asked: unknown[] = [];
    const pool = {
      acquire: (options?: { exclude: readonly string[] }) => {
        asked.push(options === undefined ? 'any' : [...options.exclude]);
        const url = ['https://a.example', 'https://b.example'].find(
          (each) => options === undefined || !options.exclude.includes(each),
        );
        return url === undefined ? undefined : { upstream: { url }, release() {} };
      },
    };
    const { fake } = answering([503]);
    await wrapFetch(fake, { ...quick, pool })(url);
    expect(fake.mock.calls.map(([input]) => String(input))).toEqual(
      ['a', 'b', 'a'].map((name) => `https://${name}.example/all?x=1`),
    );
    expect(asked).toEqual([[], ['https://a.example'], ['https://a.example', 'https://b.example'], 'any']);
  });

  it('takes a pool without upstreams for a refusal: no repetition, and nothing to a breaker', async () => {
    const acquire = vi.fn(() => undefined);
    const breaker = recorder();
    const call = wrapFetch(fetch, { ...quick, pool: { acquire }, breaker: breaker as never });
    await expect(call(url)).rejects.toMatchObject({ code: 'ERR_WEIR_NO_UPSTREAM' });
    expect(acquire).toHaveBeenCalledTimes(2);
    expect(breaker.verdicts).toEqual(['ignore']);
  });

  it('calls an upstream that was given up neither good nor bad', async () => {
    const released: unknown[] = [];
    const pool = {
      acquire: () => ({
        upstream: { url: 'https://a.example' },
        release: ({ outcome }: { outcome: string }) => void released.push(outcome),
      }),
    };
    const controller = new AbortController();
    const hang: FetchLike = (_input, init) =>
      new Promise((_resolve, reject) =>
        init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason)),
      );
    const given = wrapFetch(hang, { pool })(url, { signal: controller.signal });
    controller.abort();
    await expect(given).rejects.toThrow();
    await expect(wrapFetch(hang, { pool, retry: false, timeout: 10 })(url)).rejects.toThrow();
    expect(released).toEqual(['ignore', 'failure']);
  });

  it.each([
    ['timeout', { timeout: 0 }],
    ['deadline', { deadline: 'soon' }],
    ['retryMethods', { retryMethods: 'GET' }],
    ['retryStatuses', { retryStatuses: ['503'] }],
    ['deadlineHeader', { deadlineHeader: '' }],
    ['attempts', { retry: { attempts: 0 } }],
    ['retries', { retries: 3 }],
  ])('refuses %s in %j', (option, options) => {
    expect(() => wrapFetch(fetch, options as never)).toThrow(expect.objectContaining({ option }));
  });
});
