import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { base64url, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { hashApiKey } from '../src/index.ts';
import { start } from './fixtures.ts';

describe('an API key', () => {
  const guarded = (header?: string) =>
    start({
      upstreams: {},
      auth: {
        keys: {
          type: 'api-key',
          ...(header === undefined ? {} : { header }),
          keys: [
            { id: 'reader', hash: hashApiKey('key-r'), scopes: ['read'] },
            { id: 'writer', hash: hashApiKey('key-w'), scopes: ['read', 'write'] },
          ],
        },
      },
      routes: [
        { match: { path: '/write' }, auth: 'keys', scopes: ['read', 'write'], respond: { status: 200 } },
        { match: {}, auth: 'keys', respond: { status: 200 } },
      ],
    });

  test('lets in whoever has one, in the header that was agreed', async () => {
    await using gateway = await guarded();
    expect((await gateway.ask('/', { headers: { 'x-api-key': 'key-r' } })).status).toBe(200);
    for (const headers of [
      {},
      { 'x-api-key': '' },
      { 'x-api-key': 'key-x' },
      { 'x-api-key': 'KEY-R' },
      { 'x-api-key': hashApiKey('key-r') },
    ]) {
      const { status, headers: answer } = await gateway.ask('/', { headers: headers as never });
      expect([status, answer['www-authenticate']]).toEqual([401, 'ApiKey']);
    }
    await using other = await guarded('x-token');
    expect((await other.ask('/', { headers: { 'x-token': 'key-r' } })).status).toBe(200);
    expect((await other.ask('/', { headers: { 'x-api-key': 'key-r' } })).status).toBe(401);
  });

  test('must have all the scopes of a route', async () => {
    await using gateway = await guarded();
    expect((await gateway.ask('/write', { headers: { 'x-api-key': 'key-r' } })).status).toBe(403);
    expect((await gateway.ask('/write', { headers: { 'x-api-key': 'key-w' } })).status).toBe(200);
  });

  test('takes as long to refuse if it is wrong at its first letter as at its last', async () => {
    // By construction: what is compared are digests, of which a caller cannot choose the letters.
    expect(hashApiKey('aaaaaaaa')).not.toContain(hashApiKey('aaaaaaab').slice(7, 17));
    expect(hashApiKey('a')).toHaveLength('sha256:'.length + 64);
  });
});

describe('a token', async () => {
  const issuer = 'https://issuer.example';
  const audience = 'api';
  const [first, second, foreign] = await Promise.all([1, 2, 3].map(() => generateKeyPair('ES256')));
  const jwk = async (pair: typeof first, kid: string) => ({
    ...(await exportJWK(pair!.publicKey)),
    kid,
    alg: 'ES256',
  });
  const token = (claims: object = {}, { pair = first, kid = 'one', expires = '5m' } = {}) =>
    new SignJWT({ scope: 'read write', sub: 'ann', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer((claims as { iss?: string }).iss ?? issuer)
      .setAudience((claims as { aud?: string }).aud ?? audience)
      .setExpirationTime(expires)
      .sign(pair!.privateKey);

  const guarded = async (keys: object) =>
    start({
      upstreams: {},
      auth: { users: { type: 'jwt', issuer, audience, ...keys } },
      routes: [
        { match: { path: '/admin' }, auth: 'users', scopes: ['admin'], respond: { status: 200 } },
        { match: {}, auth: 'users', respond: { status: 200 } },
      ],
    });
  const local = async () => guarded({ jwks: { keys: [await jwk(first, 'one')] } });
  const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } });
  const unsigned = (header: object, claims: object) =>
    `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}.`;
  const later = Math.floor(Date.now() / 1000) + 600;

  test('that is good lets in, with its scopes', async () => {
    await using gateway = await local();
    expect((await gateway.ask('/', bearer(await token()))).status).toBe(200);
    expect((await gateway.ask('/admin', bearer(await token()))).status).toBe(403);
    expect((await gateway.ask('/admin', bearer(await token({ scope: ['admin'] })))).status).toBe(200);
  });

  test.each([
    ['none at all', async () => ''],
    ['not a token', async () => 'abc'],
    ['alg none', async () => unsigned({ alg: 'none' }, { iss: issuer, aud: audience, exp: later })],
    [
      'alg none with a signature',
      async () => `${unsigned({ alg: 'none' }, { iss: issuer, aud: audience, exp: later })}abc`,
    ],
    ['another audience', () => token({ aud: 'other' })],
    ['another issuer', () => token({ iss: 'https://evil.example' })],
    ['a foreign key under a known id', () => token({}, { pair: foreign! })],
    ['an unknown key id', () => token({}, { pair: foreign!, kid: 'nine' })],
    ['expired an hour ago', () => token({}, { expires: '-1h' })],
    [
      'a changed claim',
      async () => {
        const [head, , signature] = (await token()).split('.');
        return `${head}.${base64url.encode(JSON.stringify({ iss: issuer, aud: audience, exp: later, scope: 'admin' }))}.${signature}`;
      },
    ],
    [
      'the public key as an HMAC secret',
      async () =>
        new SignJWT({})
          .setProtectedHeader({ alg: 'HS256', kid: 'one' })
          .setIssuer(issuer)
          .setAudience(audience)
          .setExpirationTime('5m')
          .sign(new TextEncoder().encode(JSON.stringify(await jwk(first, 'one')))),
    ],
  ])('with %s is refused with 401', async (_, make) => {
    await using gateway = await local();
    const answer = await gateway.ask('/', bearer(await make()));
    expect([answer.status, answer.headers['content-type']]).toEqual([401, 'application/problem+json']);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
  });

  test('without an end is refused', async () => {
    await using gateway = await local();
    const endless = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuer(issuer)
      .setAudience(audience)
      .sign(first!.privateKey);
    expect((await gateway.ask('/', bearer(endless))).status).toBe(401);
  });

  test('is checked by keys from a URL; without them nobody is called a liar', async () => {
    let keys: unknown = { keys: [await jwk(first, 'one'), await jwk(second, 'two')] };
    let asked = 0;
    const server = createServer((_req, res) => {
      asked += 1;
      res.setHeader('content-type', 'application/json');
      if (keys === undefined) res.writeHead(500).end();
      else res.end(JSON.stringify(keys));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    {
      await using gateway = await guarded({ jwksUrl });
      expect((await gateway.ask('/', bearer(await token()))).status).toBe(200);
      expect((await gateway.ask('/', bearer(await token({}, { pair: second!, kid: 'two' })))).status).toBe(
        200,
      );
      expect(asked).toBe(1);
    }
    keys = undefined;
    await using gateway = await guarded({ jwksUrl });
    const answer = await gateway.ask('/', bearer(await token()));
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    server.close();
  });

  test('signed by a key that the issuer has just begun to use is found after a rotation', async () => {
    let keys = [await jwk(first, 'one')];
    const server = createServer((_req, res) => {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ keys }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    // Asked for again at once here; by default not more often than every 30 s.
    await using gateway = await guarded({ jwksUrl, jwksCooldown: 1 });
    expect((await gateway.ask('/', bearer(await token()))).status).toBe(200);
    keys = [await jwk(second, 'two')];
    await expect
      .poll(
        async () => (await gateway.ask('/', bearer(await token({}, { pair: second!, kid: 'two' })))).status,
      )
      .toBe(200);
    expect((await gateway.ask('/', bearer(await token({}, { pair: foreign!, kid: 'nine' })))).status).toBe(
      401,
    );
    server.close();
  });
});
