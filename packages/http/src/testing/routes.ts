import type { IncomingMessage, ServerResponse } from 'node:http';

// The routes that every host under test serves. Written twice, once for each kind of response.

/** For hosts on node:http. Throws, or rejects, where the route says so. */
export function nodeRoutes(req: IncomingMessage, res: ServerResponse): unknown {
  const path = (req.url ?? '').split('?')[0];
  switch (path) {
    case '/hello':
      res.setHeader('content-type', 'text/plain');
      return res.end('hello');
    case '/async':
      return Promise.resolve().then(() => res.end('hello'));
    case '/throw':
      throw new Error('boom');
    case '/throw-async':
      return Promise.reject(new Error('boom'));
    case '/redirect':
      return res.writeHead(302, { location: '/hello' }).end();
    case '/empty':
      return res.writeHead(204).end();
    case '/unchanged':
      return res.writeHead(304, { etag: '"a"' }).end();
    case '/own':
      return res.writeHead(200, { 'x-shared': 'handler', 'x-own': 'handler' }).end('own');
    case '/stream':
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const chunk of ['a', 'b', 'c']) res.write(chunk);
      return res.end();
    case '/drip':
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      return drip(res);
    case '/hang':
      return undefined;
    case '/seen':
      return res.end(JSON.stringify(req.headers));
    case '/echo': {
      res.statusCode = 200;
      const chunks: Buffer[] = [];
      req.on('data', (chunk) => chunks.push(chunk));
      return req.on('end', () => res.end(Buffer.concat(chunks)));
    }
    default:
      return res.writeHead(404).end('not here');
  }
}

/** Writes until the client has gone: some hosts notice only when they write. */
function drip(res: ServerResponse): void {
  const timer = setInterval(() => res.write('drop'), 10);
  res.on('close', () => clearInterval(timer));
}

const encoder = new TextEncoder();
const never = new Promise<never>(() => {});

/** For hosts that answer a `Request` with a `Response`. */
export async function webRoutes(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  switch (pathname) {
    case '/hello':
    case '/async':
      return new Response('hello', { headers: { 'content-type': 'text/plain' } });
    case '/throw':
    case '/throw-async':
      throw new Error('boom');
    case '/redirect':
      return Response.redirect(new URL('/hello', request.url), 302);
    case '/empty':
      return new Response(null, { status: 204 });
    case '/unchanged':
      return new Response(null, { status: 304, headers: { etag: '"a"' } });
    case '/own':
      return new Response('own', { headers: { 'x-shared': 'handler', 'x-own': 'handler' } });
    case '/stream':
      return new Response(streamOf(['a', 'b', 'c']), {
        headers: { 'content-type': 'text/event-stream' },
      });
    case '/drip':
      return new Response(dripping(), { headers: { 'content-type': 'text/event-stream' } });
    case '/hang':
      return never;
    case '/seen':
      return Response.json(Object.fromEntries(request.headers));
    case '/echo':
      return new Response(await request.arrayBuffer());
    default:
      return new Response('not here', { status: 404 });
  }
}

function streamOf(chunks: readonly string[]): ReadableStream {
  const left = [...chunks];
  return new ReadableStream({
    pull(controller) {
      const chunk = left.shift();
      if (chunk !== undefined) controller.enqueue(encoder.encode(chunk));
      else controller.close();
    },
  });
}

/** Goes on as long as somebody reads. */
function dripping(): ReadableStream {
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      controller.enqueue(encoder.encode('drop'));
    },
  });
}
