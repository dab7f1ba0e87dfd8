import { createHash, createHmac } from 'node:crypto';
import { fakeExchange, ManualClock, seededRandom } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import {
  acquireFor,
  createPool,
  type Pool,
  roundRobin,
  type Sticky,
  stick,
  stickyCookie,
  stickyHeader,
} from '../src/index.ts';
import { hmac, sha256 } from '../src/internal/sha256.ts';
import { a, abc, b, c, serve } from './support.ts';

const secret = 'a secret of enough length';
const outliers = { consecutiveFailures: 1 };

describe('SHA-256', () => {
  test('is that of everybody else, at all lengths around a block', () => {
    const rng = seededRandom(1);
    for (let length = 0; length < 300; length += 1) {
      const bytes = Uint8Array.from({ length }, () => Math.floor(rng() * 256));
      expect(Buffer.from(sha256(bytes)).toString('hex')).toBe(
        createHash('sha256').update(bytes).digest('hex'),
      );
    }
  });

  test.each(['k', 'é', 'x'.repeat(64), 'y'.repeat(65), 'z'.repeat(200)])(
    'so is the HMAC with the key %s',
    (key) => {
      for (const message of ['', 'text', 'ü'.repeat(100)]) {
        expect(Buffer.from(hmac(key, message)).toString('hex')).toBe(
          createHmac('sha256', key).update(message).digest('hex'),
        );
      }
    },
  );
});

/** A client that keeps what it is given. */
class Client {
  kept: string | undefined;
  readonly #header: string | undefined;

  constructor(header?: string) {
    this.#header = header;
  }

  ask(pool: Pool, { url = 'https' }: { url?: 'http' | 'https' } = {}) {
    const headers: Record<string, string> = {};
    if (this.kept !== undefined) headers[this.#header ?? 'cookie'] = this.kept;
    const x = fakeExchange({ headers, protocol: url });
    const taken = acquireFor(pool, x);
    if (taken !== undefined) stick(pool, x, taken);
    taken?.release({ outcome: 'ok' });
    const given = x.responseHeaders.get(this.#header ?? 'set-cookie')?.[0];
    if (given !== undefined) this.kept = given.split(';')[0];
    return { url: taken?.upstream.url, given };
  }
}

describe.each([
  [
    'cookie',
    (secrets: string | string[] = secret): Sticky => stickyCookie({ secret: secrets }),
    undefined,
    (token: string) => `weir-upstream=${token}`,
  ],
  [
    'header',
    (secrets: string | string[] = secret): Sticky => stickyHeader({ secret: secrets }),
    'x-upstream-session',
    (token: string) => token,
  ],
] as const)('a session by %s', (_name, sticky, header, carrying) => {
  const poolOf = (secrets?: string | string[], urls: readonly string[] = abc) =>
    createPool(urls, { strategy: roundRobin(), sticky: sticky(secrets), outliers, clock: new ManualClock() });
  const tokenIn = (kept: string) => (header === undefined ? kept.slice(kept.indexOf('=') + 1) : kept);

  test('stays at its server, and the token is handed out once', () => {
    const pool = poolOf();
    const clients = [new Client(header), new Client(header), new Client(header)];
    const first = clients.map((client) => client.ask(pool));
    expect(first.map(({ url }) => url)).toEqual([a, b, c]);
    for (let i = 0; i < 5; i += 1) {
      expect(clients.map((client) => client.ask(pool))).toEqual(
        [a, b, c].map((url) => ({ url, given: undefined })),
      );
    }
  });

  test('is understood by another balancer with the same secret, in whatever order it knows the servers', () => {
    const client = new Client(header);
    const { url } = client.ask(poolOf());
    const other = poolOf(secret, [c, b, a]);
    for (let i = 0; i < 3; i += 1) expect(client.ask(other)).toEqual({ url, given: undefined });
  });

  test('moves when its server is ejected, drained or removed, and is told so', () => {
    const pool = poolOf();
    const client = new Client(header);
    expect(client.ask(pool).url).toBe(a);
    serve(pool, 'failure', { exclude: [b, c] });
    const second = client.ask(pool);
    expect(second.url).not.toBe(a);
    expect(second.given).toBeDefined();
    void pool.drain(second.url!);
    const third = client.ask(pool);
    expect([a, second.url]).not.toContain(third.url);
    pool.remove(third.url!);
    pool.resume(second.url!);
    expect(client.ask(pool).url).toBe(second.url);
  });

  test('does not go to its server if that is excluded, not admitted or weighs nothing', () => {
    const pool = poolOf();
    const session = pool.session(pool.upstreams[1]!)!;
    expect(serve(pool, 'ok', { session })).toBe(b);
    expect(serve(pool, 'ok', { session, exclude: [b] })).not.toBe(b);
    const asked: string[] = [];
    const admit = ({ url }: { url: string }) => asked.push(url) > 0 && url !== b;
    expect(serve(pool, 'ok', { session, admit })).not.toBe(b);
    expect(asked.filter((url) => url === b)).toEqual([b]);
    pool.setWeight(b, 0);
    expect(serve(pool, 'ok', { session })).not.toBe(b);
  });

  test('cannot be forged: any change of a token makes it as good as none', () => {
    const pool = poolOf();
    const client = new Client(header);
    client.ask(pool);
    const token = tokenIn(client.kept!);
    const other = tokenIn(
      (() => {
        const next = new Client(header);
        next.ask(pool);
        return next.kept!;
      })(),
    );
    const forged = [
      '',
      '.',
      'a',
      a,
      token.slice(0, -1),
      `${token}A`,
      token.slice(0, token.indexOf('.')),
      `${token.slice(0, token.indexOf('.'))}.${other.slice(other.indexOf('.') + 1)}`,
      ...Array.from(
        token,
        (character, i) => `${token.slice(0, i)}${character === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`,
      ),
    ];
    for (const each of forged) {
      client.kept = carrying(each);
      const before = pool.upstreams.find(({ url }) => url === a) as unknown as { picked: number };
      const picked = before.picked;
      // Round robin would choose `a` once in three times; three forged requests in a row reach all three.
      const urls = [1, 2, 3].map(() => {
        client.kept = carrying(each);
        return client.ask(pool).url;
      });
      expect(new Set(urls).size, each).toBe(3);
      expect(before.picked).toBe(picked + 1);
    }
  });

  test('is not accepted from a balancer with another secret', () => {
    const client = new Client(header);
    client.ask(poolOf('another secret, long enough'));
    expect(client.ask(poolOf()).given).toBeDefined();
  });

  test('survives a change of secrets, and gets a token of the new one', () => {
    const [old, fresh] = ['the old secret, long enough', 'the new secret, long enough'];
    const client = new Client(header);
    const { url } = client.ask(poolOf(old));
    const changing = poolOf([fresh, old]);
    changing.acquire();
    const renewed = client.ask(changing);
    expect(renewed.url).toBe(url);
    expect(renewed.given).toBeDefined();
    expect(client.ask(changing).given).toBeUndefined();
    expect(client.ask(poolOf(fresh))).toEqual({ url, given: undefined });
  });

  test('tells nobody where the servers are', () => {
    const pool = poolOf();
    for (const upstream of pool.upstreams) {
      const token = pool.session(upstream)!;
      expect(token).toMatch(/^[\w-]{12}\.[\w-]{43}$/);
      const text = Buffer.from(token, 'base64url').toString('latin1');
      for (const part of ['127', '1001', '1002', '1003']) expect(token + text).not.toContain(part);
    }
    expect(new Set(pool.upstreams.map((upstream) => pool.session(upstream))).size).toBe(3);
    expect(JSON.stringify(pool.snapshot())).not.toContain(secret);
  });

  test('of a server that was added is known, of one that came back as well', () => {
    const pool = poolOf(secret, [a]);
    const added = pool.add(b);
    const session = pool.session(added);
    expect(serve(pool, 'ok', { session })).toBe(b);
    pool.remove(b);
    expect(serve(pool, 'ok', { session })).toBe(a);
    pool.add(b);
    expect(serve(pool, 'ok', { session })).toBe(b);
    expect(serve(pool, 'ok', { session })).toBe(b);
  });
});

describe('the cookie', () => {
  const given = (options = {}, url: 'http' | 'https' = 'https') =>
    new Client().ask(createPool([a], { sticky: stickyCookie({ secret, ...options }) }), { url }).given;

  test('is HttpOnly, Lax, for the whole site and the session, and Secure where the client came over https', () => {
    expect(given()).toMatch(/^weir-upstream=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
    expect(given({}, 'http')).toMatch(/; SameSite=Lax$/);
  });

  test('is as it is asked for', () => {
    expect(
      given(
        {
          name: '__Host-lb',
          path: '/app',
          maxAge: '1h',
          sameSite: 'strict',
          secure: true,
          domain: 'example.org',
        },
        'http',
      ),
    ).toMatch(
      /^__Host-lb=[\w.-]+; Path=\/app; Domain=example.org; Max-Age=3600; HttpOnly; SameSite=Strict; Secure$/,
    );
    expect(given({ sameSite: 'none', secure: false })).toMatch(/; SameSite=None$/);
  });

  test('is found among others', () => {
    const pool = createPool(abc, { strategy: roundRobin(), sticky: stickyCookie({ secret }) });
    const client = new Client();
    const { url } = client.ask(pool);
    client.kept = `a=b; ${client.kept}; weir-upstreams=x`;
    expect(client.ask(pool)).toEqual({ url, given: undefined });
  });

  test.each([
    ['secret', { secret: 'too short' }],
    ['secret', { secret: [] }],
    ['secret', { secret: [secret, 'short'] }],
    ['name', { secret, name: 'a b' }],
    ['name', { secret, name: 'a=b' }],
    ['path', { secret, path: '/a; Domain=evil.example' }],
    ['domain', { secret, domain: 'a;b' }],
    ['maxAge', { secret, maxAge: 10 }],
    ['sameSite', { secret, sameSite: 'maybe' }],
    ['secure', { secret, secure: 'yes' }],
    ['httpOnly', { secret, httpOnly: false }],
  ])('is refused with a bad `%s`', (option, options) => {
    expect(() => stickyCookie(options as never)).toThrow(expect.objectContaining({ option }));
  });

  test('a header is refused with a bad name or secret', () => {
    expect(() => stickyHeader({ secret, name: 'a b' })).toThrow(/name/);
    expect(() => stickyHeader({ secret: 'short' })).toThrow(/secret/);
    expect(() => stickyHeader({ secret, path: '/' } as never)).toThrow(/path/);
  });
});

test('a pool that is not sticky has no tokens and writes none', () => {
  const pool = createPool([a]);
  expect(pool.session(pool.upstreams[0]!)).toBeUndefined();
  expect(new Client().ask(pool)).toEqual({ url: a, given: undefined });
  expect(serve(pool, 'ok', { session: 'x.y' })).toBe(a);
});
