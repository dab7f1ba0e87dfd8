import type { Outcome } from '@weir/core';
import fastifyApp from 'fastify';
import { describe, expect, it } from 'vitest';
import { weir } from '../src/fastify.ts';

/** An application that tells how its exchanges ended. */
function observed(): { app: ReturnType<typeof fastifyApp>; ends: Promise<Outcome>[] } {
  const app = fastifyApp();
  const ends: Promise<Outcome>[] = [];
  app.register(weir({ name: 'observer', enter: () => ended(ends) }));
  app.get('/', async () => 'hello');
  app.get('/hangs', () => new Promise(() => {}));
  app.get('/fails', async () => {
    throw new Error('out of order');
  });
  return { app, ends };
}

function ended(ends: Promise<Outcome>[]): (outcome: Outcome) => void {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  ends.push(promise);
  return resolve;
}

describe('a request made by inject', () => {
  it('ends whole, although it has no socket', async () => {
    const { app, ends } = observed();
    const response = await app.inject('/');
    expect(response.body).toBe('hello');
    expect(await ends[0]).toMatchObject({ status: 200, kind: 'ok' });
  });

  it('tells of what a handler threw', async () => {
    const { app, ends } = observed();
    await app.inject('/fails');
    expect(await ends[0]).toMatchObject({ status: 500, kind: 'error', error: new Error('out of order') });
  });

  it('is aborted if it is cut before its end', async () => {
    const { app, ends } = observed();
    const controller = new AbortController();
    const response = app.inject({ url: '/hangs', signal: controller.signal });
    const failed = expect(response).rejects.toThrow();
    await expect.poll(() => ends.length).toBe(1);
    controller.abort();
    await failed;
    expect(await ends[0]).toMatchObject({ kind: 'aborted' });
  });

  it('is answered with the headers of a policy that refuses', async () => {
    const app = fastifyApp();
    const reply = { status: 429, headers: ['content-type', 'application/problem+json'], body: '{}' };
    app.register(
      weir({
        name: 'refuses',
        enter(x) {
          x.appendHeader('ratelimit', '"a";r=0');
          return reply;
        },
      }),
    );
    const response = await app.inject('/');
    expect(response.statusCode).toBe(429);
    expect(response.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'content-length': '2',
      ratelimit: '"a";r=0',
    });
  });
});
