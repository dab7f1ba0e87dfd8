import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { weir } from '@weir/http/node';
import { createPool, roundRobin } from '@weir/load-balancer';
import { describe, expect, test } from 'vitest';
import { hosts } from '../../http/test/hosts.ts';
import { proxy, type TlsOptions, upgrade } from '../src/index.ts';
import {
  cleanUp,
  echoHead,
  eventually,
  type Handler,
  inFlight,
  listen,
  noted,
  proxyTo,
  rawUpstream,
  type Seen,
} from './support.ts';

const key = readFileSync(new URL('fixtures/localhost.key', import.meta.url));
const cert = readFileSync(new URL('fixtures/localhost.pem', import.meta.url));

/** What the adapters have in common: one upstream that echoes, one that refuses, one that breaks off. */
const answer: Handler = (req, res) => {
  if (req.url === '/head') echoHead(req, res);
  else if (req.url === '/cookies') res.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end('ok');
  else if (req.url === '/teapot') res.writeHead(418, { 'x-own': '1' }).end('short');
  else if (req.url === '/empty') res.writeHead(204).end();
  else if (req.url === '/large') res.end('x'.repeat(1_000_000));
  else req.pipe(res);
};

describe.each(hosts.filter((host) => host.http2 !== true))('behind $name', (host) => {
  test('requests, bodies and answers pass', async () => {
    const port = await listen(createServer(answer));
    const pool = createPool([`http://127.0.0.1:${port}`], { strategy: roundRobin() });
    const policy = proxy(pool);
    cleanUp(() => policy.close({ within: 0 }));
    const running = await host.start([[policy]], { onFault: () => {} });
    cleanUp(() => running[Symbol.asyncDispose]());
    const base = `http://127.0.0.1:${running.port}`;
    const seen = (await (
      await fetch(`${base}/head`, { headers: { 'x-forwarded-for': '6.6.6.6' } })
    ).json()) as Seen;
    expect(seen.url).toBe('/head');
    expect(seen.headers['x-forwarded-for']).toBe(host.cannot?.includes('address') ? 'unknown' : '127.0.0.1');
    expect(seen.headers.via).toBe('1.1 weir');
    expect((await fetch(`${base}/cookies`)).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const teapot = await fetch(`${base}/teapot`);
    expect([teapot.status, teapot.headers.get('x-own'), await teapot.text()]).toEqual([418, '1', 'short']);
    expect((await fetch(`${base}/empty`)).status).toBe(204);
    expect((await fetch(`${base}/teapot`, { method: 'HEAD' })).status).toBe(418);
    expect(await (await fetch(`${base}/large`)).text()).toHaveLength(1_000_000);
    const body = 'y'.repeat(300_000);
    expect(await (await fetch(`${base}/echo`, { method: 'POST', body })).text()).toBe(body);
    await eventually(() => inFlight(pool)).toBe(0);
    expect(noted(pool)[0]!.failed).toBe(0);
  });
});

describe('upstreams over TLS', () => {
  const secure = async (): Promise<{ port: number; names: (string | false | undefined)[] }> => {
    const names: (string | false | undefined)[] = [];
    const server = createHttpsServer({ key, cert }, echoHead);
    server.on('secureConnection', (socket) =>
      names.push((socket as { servername?: string | false }).servername),
    );
    return { port: await listen(server), names };
  };
  const ask = async (url: string, tls?: TlsOptions, hostname?: string) => {
    const { port, pool } = await proxyTo([], { tls, host: 'client', retry: false });
    pool.add({ url, hostname });
    const response = await fetch(`http://127.0.0.1:${port}/`);
    return { status: response.status, said: response.headers.get('proxy-status') };
  };

  test('are trusted by their authority, under their name or address', async () => {
    const { port, names } = await secure();
    expect(await ask(`https://localhost:${port}`, { ca: cert })).toMatchObject({ status: 200 });
    expect(await ask(`https://127.0.0.1:${port}`, { ca: cert })).toMatchObject({ status: 200 });
    expect(
      await ask(`https://127.0.0.1:${port}`, { ca: cert, servername: 'upstream.example' }),
    ).toMatchObject({
      status: 200,
    });
    expect(await ask(`https://127.0.0.1:${port}`, { ca: cert }, 'upstream.example')).toMatchObject({
      status: 200,
    });
    // Never the host that the client asked for.
    expect(names).toEqual(['localhost', false, 'upstream.example', 'upstream.example']);
  });

  test('are refused without it, and under another name, unless it is said not to look', async () => {
    const { port } = await secure();
    const refused = { status: 502, said: 'weir; error=tls_certificate_error' };
    expect(await ask(`https://localhost:${port}`)).toEqual(refused);
    expect(await ask(`https://localhost:${port}`, { ca: cert, servername: 'other.example' })).toEqual(
      refused,
    );
    expect(await ask(`https://localhost:${port}`, { rejectUnauthorized: false })).toMatchObject({
      status: 200,
    });
    const plain = await listen(createServer(echoHead));
    expect(await ask(`https://127.0.0.1:${plain}`)).toEqual({
      status: 502,
      said: 'weir; error=tls_protocol_error',
    });
  });
});

describe('TLS and HTTP/2 in', () => {
  const pool = async () => createPool([`http://127.0.0.1:${await listen(createServer(answer))}`]);

  test('an https server in front: the upstream is told', async () => {
    const policy = proxy(await pool());
    cleanUp(() => policy.close({ within: 0 }));
    const port = await listen(
      createHttpsServer({ key, cert }, weir(policy).wrap(() => {}) as RequestListener),
    );
    const text = await new Promise<string>((resolve, reject) => {
      httpsRequest({ port, host: '127.0.0.1', path: '/head', ca: cert, agent: false }, (res) => {
        let received = '';
        res.on('data', (chunk) => (received += chunk)).on('end', () => resolve(received));
      })
        .on('error', reject)
        .end();
    });
    expect((JSON.parse(text) as Seen).headers['x-forwarded-proto']).toBe('https');
  });

  test('a WebSocket-like tunnel through an https server', async () => {
    const upstream = await rawUpstream((socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello');
    });
    const handler = upgrade(createPool([upstream.url]));
    cleanUp(() => handler.close({ within: 0 }));
    const server = createHttpsServer({ key, cert });
    server.on('upgrade', handler);
    const port = await listen(server);
    let received = '';
    const socket = connectTls({ port, host: '127.0.0.1', ca: cert }, () =>
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n'),
    );
    cleanUp(() => socket.destroy());
    socket.on('data', (chunk) => (received += chunk));
    await eventually(() => received).toMatch(/101(?:.*\r\n)*hello$/);
    expect(upstream.requests[0]).toContain('x-forwarded-proto: https');
  });

  test.each(['h2', 'h2c'])(
    '%s: many streams at once, bodies both ways, cookies joined, and a reset stream cancels',
    async (kind) => {
      const hanging = new Set<unknown>();
      const upstream = createServer((req, res) => {
        if (req.url !== '/hang') {
          answer(req, res);
          return;
        }
        hanging.add(req);
        req.socket.on('close', () => hanging.delete(req));
      });
      const leases = createPool([`http://127.0.0.1:${await listen(upstream)}`]);
      const policy = proxy(leases);
      cleanUp(() => policy.close({ within: 0 }));
      const handler = weir(policy).wrap(() => {}) as never;
      const server = kind === 'h2' ? createSecureServer({ key, cert }, handler) : createHttp2Server(handler);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const session = connectHttp2(`${kind === 'h2' ? 'https' : 'http'}://127.0.0.1:${port}`, { ca: cert });
      cleanUp(() => {
        session.destroy();
        server.close();
      });
      const ask = (headers: Record<string, string | string[]>, body?: string) =>
        new Promise<{ status: number; text: string }>((resolve, reject) => {
          const stream = session.request(headers, { endStream: body === undefined });
          let status = 0;
          let text = '';
          stream.on('response', (head) => (status = head[':status'] as number));
          stream.on('data', (chunk) => (text += chunk)).on('error', reject);
          stream.on('end', () => resolve({ status, text }));
          if (body !== undefined) stream.end(body);
        });
      const { text } = await ask({
        ':path': '/head',
        ':authority': 'shop.example',
        cookie: ['a=1', 'b=2'],
        te: 'trailers',
      });
      expect((JSON.parse(text) as Seen).headers).toMatchObject({
        cookie: 'a=1; b=2',
        'x-forwarded-host': 'shop.example',
        'x-forwarded-proto': kind === 'h2' ? 'https' : 'http',
        via: '2.0 weir',
      });
      expect(JSON.parse(text).headers).not.toHaveProperty('te');
      const body = 'z'.repeat(100_000);
      const echoes = await Promise.all(
        Array.from({ length: 30 }, () => ask({ ':method': 'POST', ':path': '/echo' }, body)),
      );
      expect(echoes.every((each) => each.status === 200 && each.text === body)).toBe(true);
      const stream = session.request({ ':path': '/hang' }).on('error', () => {});
      await eventually(() => hanging.size).toBe(1);
      stream.close(8);
      await eventually(() => [hanging.size, inFlight(leases)]).toEqual([0, 0]);
      expect(noted(leases)[0]!.failed).toBe(0);
    },
  );
});
