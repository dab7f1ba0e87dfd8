import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { weir } from '@weir/http/node';
import { createPool } from '@weir/load-balancer';
import { describe, expect, test } from 'vitest';
import { proxy } from '../src/index.ts';
import {
  cleanUp,
  echoHead,
  eventually,
  gate,
  get,
  inFlight,
  listen,
  noted,
  plainAnswer,
  proxied,
  proxyTo,
  raw,
  rawUpstream,
  seenBy,
} from './support.ts';

/** Requests and what an upstream is to read of them, byte for byte; `-` where nothing must arrive. */
const golden = readFileSync(new URL('fixtures/upstream-bytes.txt', import.meta.url), 'latin1')
  .split(/^=== /m)
  .slice(1)
  .map((block) => {
    const [name = '', sent = '', read = ''] = block.split(/\n--- (?:sent|read)\n/);
    const wire = (text: string): string =>
      text.replace(/\\(r|n|t|0|x[0-9a-f]{2})|\n/g, (all, code: string | undefined) => {
        if (code === undefined) return '\r\n';
        if (code.startsWith('x')) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
        return { r: '\r', n: '\n', t: '\t', 0: '\0' }[code] ?? all;
      });
    return { name, sent: wire(sent), read: wire(read.replace(/\n$/, '')) };
  });

describe('what reaches the upstream, byte for byte', () => {
  test.each(golden)('$name', async ({ sent, read }) => {
    const upstream = await rawUpstream((socket, head) => {
      // The body comes with its head, or behind it.
      const whole =
        !/content-length: [1-9]|chunked/.test(head) ||
        !head.endsWith('\r\n\r\n') ||
        head.endsWith('0\r\n\r\n');
      if (whole) socket.write(plainAnswer);
    });
    const { port } = await proxyTo([upstream.url]);
    const answer = await raw(port, sent);
    const host = new URL(upstream.url).host;
    const seen = upstream.requests.join('').replaceAll(host, 'UPSTREAM');
    if (read === '-') {
      expect(seen).toBe('');
      expect(answer).toMatch(/^HTTP\/1\.1 (400|501) /);
    } else {
      expect(seen).toBe(read);
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    }
  });
});

describe('the target of a request', () => {
  test.each([
    ['http://evil.test/p?q', '/p?q'],
    ['http://evil.test', '/'],
    ['//evil.test/p', '//evil.test/p'],
    ['/\\evil.test', '/\\evil.test'],
    ['/a/..%2f../b/../c', '/a/..%2f../b/../c'],
    ['/%0d%0aevil:1', '/%0d%0aevil:1'],
  ])('%s is asked for as %s, at no other host', async (target, url) => {
    const { port, pool } = await proxied([echoHead]);
    const seen = await seenBy(port, get(target));
    expect(seen.url).toBe(url);
    expect(seen.headers.host).toBe(new URL(pool.upstreams[0]!.url).host);
  });

  test('one that is no path is refused', async () => {
    const { port, policy } = await proxied([echoHead]);
    expect(await raw(port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    expect(policy.snapshot()).toMatchObject({ refused: 1, tries: 0 });
  });

  test.each([
    ['CR LF', '/a\r\nevil: 1'],
    ['NUL', '/a\0'],
    ['a space', '/a HTTP/1.1'],
    ['a character that latin1 lacks', '/\u010a'],
    ['another host', 'http://evil.test/'],
    ['nothing', ''],
  ])('a rewrite that makes %s of it is not sent', async (_what, target) => {
    for (const options of [
      { rewrite: () => target },
      { onRequest: (request: { target: string }) => void (request.target = target) },
    ]) {
      const upstream = await rawUpstream(plainAnswer);
      const { port } = await proxyTo([upstream.url], options);
      expect(await raw(port, get('/'))).toMatch(/^HTTP\/1\.1 400 /);
      expect(upstream.requests).toEqual([]);
    }
  });

  test('a header that a hook takes from the client and decodes cannot end its line', async () => {
    const upstream = await rawUpstream(plainAnswer);
    const { port, pool } = await proxyTo([upstream.url], {
      onRequest: (request, x) => request.headers.set('x-name', decodeURIComponent(x.path.slice(1))),
    });
    expect(await raw(port, get('/a%0d%0aevil:%201'))).toMatch(/^HTTP\/1\.1 500 /);
    expect(upstream.requests).toEqual([]);
    const back = await proxyTo([upstream.url], {
      onResponse: (response, x) => response.headers.set('x-name', decodeURIComponent(x.path.slice(1))),
    });
    const answer = await raw(back.port, get('/a%0d%0aset-cookie:%20evil'));
    expect(answer).toMatch(/^HTTP\/1\.1 500 /);
    expect(answer).not.toContain('evil');
    expect(inFlight(pool) + inFlight(back.pool)).toBe(0);
  });

  test('a header in the list that undici would refuse is answered with 400, and nobody is blamed', async () => {
    const { port, pool } = await proxied([echoHead], {
      headers: { request: { 'transfer-encoding': 'chunked' } },
    });
    expect(await raw(port, get('/'))).toMatch(/^HTTP\/1\.1 400 /);
    expect(noted(pool)).toEqual([{ succeeded: 0, failed: 0 }]);
  });
});

describe('an upstream that answers strangely', () => {
  const answerTo = async (answer: string, request = get('/')) => {
    const upstream = await rawUpstream((socket) => void socket.end(answer, 'latin1'));
    const { port, pool } = await proxyTo([upstream.url], { timeout: { idle: 500 } });
    return { text: await raw(port, request), pool };
  };

  test.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\nok'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH\r\n\r\n'],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    ],
  ])('%s: 502', async (_what, answer) => {
    const { text, pool } = await answerTo(answer);
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(noted(pool)).toEqual([{ succeeded: 0, failed: 1 }]);
  });

  test('headers beyond all measure: 502', async () => {
    const { text } = await answerTo(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(text).toContain('error=http_response_header_section_size');
  });

  test('interim responses end here', async () => {
    const { text } = await answerTo(
      `HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${plainAnswer}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).not.toMatch(/103|102|link/);
  });

  test('a 204 or 304 with a body has none, and the body is not taken for the next answer', async () => {
    for (const status of ['204 No Content', '304 Not Modified']) {
      let answers = 0;
      const upstream = await rawUpstream((socket) => {
        answers += 1;
        socket.write(
          answers === 1
            ? `HTTP/1.1 ${status}\r\ncontent-length: 40\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`
            : plainAnswer,
        );
      });
      const { port } = await proxyTo([upstream.url]);
      const first = await raw(port, get('/'));
      expect(first).toContain(`HTTP/1.1 ${status}`);
      expect(first.endsWith('\r\n\r\n')).toBe(true);
      if (status.startsWith('204')) expect(first).not.toContain('content-length');
      expect(await raw(port, get('/'))).toMatch(/\r\n\r\nok$/);
    }
  });

  test('a HEAD answered with a body has none', async () => {
    const { text } = await answerTo(
      'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil',
      'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(text).toContain('content-length: 4');
    expect(text.endsWith('\r\n\r\n')).toBe(true);
  });

  test('a body shorter than its length breaks the client’s connection, one that is longer is cut', async () => {
    const short = await answerTo('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
    expect(short.text).toMatch(/\r\n\r\nhalf$/);
    expect(noted(short.pool)).toEqual([{ succeeded: 0, failed: 1 }]);
    const long = await answerTo('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nevil');
    expect(long.text).toMatch(/\r\n\r\nok$/);
  });

  test('chunks that break off break the client’s connection, which never sees the last one', async () => {
    const { text } = await answerTo('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n');
    expect(text).toContain('half');
    expect(text).not.toMatch(/0\r\n\r\n$/);
  });

  test('a redirect goes to the client, who may follow it', async () => {
    const target = await rawUpstream(plainAnswer);
    const { text } = await answerTo(
      `HTTP/1.1 302 Found\r\nlocation: ${target.url}/x\r\ncontent-length: 0\r\n\r\n`,
    );
    expect(text).toContain(`location: ${target.url}/x`);
    expect(target.requests).toEqual([]);
  });
});

test('a client that expects 100 is told so here, and the upstream is not asked', async () => {
  const upstream = await rawUpstream((socket, head) => {
    if (head.includes('body')) socket.write(plainAnswer);
  });
  const { port } = await proxyTo([upstream.url]);
  const continued = gate();
  const socket = connect(port, '127.0.0.1', () =>
    socket.write(
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n',
    ),
  );
  cleanUp(() => socket.destroy());
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
    if (received.includes('100 Continue')) continued.open();
  });
  await continued.passed;
  socket.write('body');
  await new Promise((resolve) => socket.on('close', resolve));
  expect(received).toMatch(/200 OK/);
  expect(upstream.requests.join('')).not.toMatch(/expect/i);
});

test('a client that sends its request head a byte at a time holds no upstream, and the server ends it', async () => {
  const upstream = await rawUpstream(plainAnswer);
  const pool = createPool([upstream.url]);
  const policy = proxy(pool);
  cleanUp(() => policy.close());
  const server = createServer(
    { headersTimeout: 100, connectionsCheckingInterval: 50 },
    weir(policy).wrap(() => {}) as RequestListener,
  );
  const port = await listen(server);
  const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n'));
  cleanUp(() => socket.destroy());
  const timer = setInterval(() => socket.write('x'), 20);
  cleanUp(() => clearInterval(timer));
  socket.on('error', () => {}).resume();
  await new Promise((resolve) => socket.on('close', resolve));
  expect(upstream.sockets.size).toBe(0);
  expect(pool.upstreams[0]).toMatchObject({ inFlight: 0 });
});

test('an upstream that resets in mid-body ends the client’s connection', async () => {
  const upstream = await rawUpstream((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.resetAndDestroy());
  });
  const { port, pool } = await proxyTo([upstream.url]);
  expect(await raw(port, get('/'))).toMatch(/\r\n\r\nhalf$/);
  await eventually(() => inFlight(pool)).toBe(0);
  expect(noted(pool)).toEqual([{ succeeded: 0, failed: 1 }]);
});
