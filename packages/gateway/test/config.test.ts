import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, createGateway, type GatewayConfig, validateConfig } from '../src/index.ts';

const valid: GatewayConfig = {
  upstreams: { api: { servers: ['http://127.0.0.1:1'] } },
  auth: {
    keys: { type: 'api-key', keys: [{ id: 'a', hash: `sha256:${'0'.repeat(64)}` }] },
  },
  routes: [
    {
      match: { path: '/api/*' },
      auth: 'keys',
      limit: { limits: { limit: 10, per: '1s' } },
      upstream: 'api',
    },
  ],
};

const mistakesOf = (config: unknown) => {
  try {
    validateConfig(config);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).mistakes;
  }
  return [];
};
const route = (further: object) => ({ ...valid, routes: [{ ...valid.routes[0], ...further }] });

test('a valid one has no mistakes', () => {
  expect(mistakesOf(valid)).toEqual([]);
});

describe('a mistake is told by its place, with what was probably meant', () => {
  test.each([
    ['nothing at all', undefined, '', /object/],
    ['no routes', { ...valid, routes: [] }, 'routes', />=1 items|at least 1/i],
    ['a misspelt member', { ...valid, routs: [] }, 'routs', /did you mean routes\?/],
    [
      'one deep inside',
      route({ limit: { limits: { limit: 1, pr: '1s' } } }),
      'routes[0].limit.limits.pr',
      /did you mean per\?/,
    ],
    [
      'a strategy that is none',
      { ...valid, upstreams: { api: { servers: ['http://a'], strategy: 'leastConection' } } },
      'upstreams.api.strategy',
      /did you mean 'leastConnections'\?/,
    ],
    [
      'an upstream that is not there',
      route({ upstream: 'apis' }),
      'routes[0].upstream',
      /no upstream 'apis'; did you mean api\?/,
    ],
    [
      'an auth that is not there',
      route({ auth: 'nobody' }),
      'routes[0].auth',
      /no auth 'nobody'; there are keys/,
    ],
    [
      'an upstream named like a member of every object',
      route({ upstream: '__proto__' }),
      'routes[0].upstream',
      /no upstream/,
    ],
    [
      'a duration in parsecs',
      route({ limit: { limits: { limit: 1, per: '10 parsecs' } } }),
      'routes[0].limit.limits.per',
      /10s/,
    ],
    [
      'a limit of 0',
      route({ limit: { limits: { limit: 0, per: '1s' } } }),
      'routes[0].limit.limits.limit',
      />0/,
    ],
    [
      'a server that is no URL',
      { ...valid, upstreams: { api: { servers: ['localhost:80'] } } },
      'upstreams.api.servers[0]',
      /must be a URL/,
    ],
    ['scopes without auth', route({ auth: false, scopes: ['a'] }), 'routes[0].scopes', /needs auth/],
    [
      'a key in clear',
      { ...valid, auth: { keys: { type: 'api-key', keys: [{ id: 'a', hash: 'secret' }] } } },
      'auth.keys.keys[0].hash',
      /sha256/,
    ],
    [
      'a Redis that is one and a Cluster',
      { ...valid, redis: { url: 'redis://a', cluster: ['redis://b'] } },
      'redis',
      /either url or cluster/,
    ],
    [
      'a node of a Cluster that is no URL',
      { ...valid, redis: { cluster: ['10.0.0.1:6379'] } },
      'redis.cluster[0]',
      /must be a URL/,
    ],
    [
      'something else to do when Redis fails',
      route({ limit: { limits: { limit: 1, per: '1s' }, onStoreError: 'close' } }),
      'routes[0].limit.onStoreError',
      /did you mean 'closed'\?/,
    ],
    [
      'an account in a place that is none',
      route({ login: { account: { jsn: 'email' } } }),
      'routes[0].login.account.jsn',
      /did you mean json\?/,
    ],
    [
      'a window of both kinds',
      { ...valid, upstreams: { api: { servers: ['http://a'], breaker: { window: { calls: 1, time: 1 } } } } },
      'upstreams.api.breaker.window',
      /either time or calls/,
    ],
    ['both answers', route({ respond: { status: 200 } }), 'routes[0]', /either upstream or respond/],
    ['a star in the middle', route({ match: { path: '/a*b/*' } }), 'routes[0].match.path', /one \*/],
    [
      'credentials for everybody',
      route({ cors: { origins: '*', credentials: true } }),
      'routes[0].cors.credentials',
      /list them/,
    ],
    [
      'jwt without keys',
      { ...valid, auth: { keys: { type: 'jwt', issuer: 'a', audience: 'b' } } },
      'auth.keys',
      /jwksUrl or jwks/,
    ],
    [
      'an algorithm that is none',
      {
        ...valid,
        auth: {
          keys: { type: 'jwt', issuer: 'a', audience: 'b', jwksUrl: 'https://a/', algorithms: ['none'] },
        },
      },
      'auth.keys.algorithms[0]',
      /RS256/,
    ],
  ])('%s', (_, config, path, message) => {
    const mistakes = mistakesOf(config);
    expect(mistakes.map((mistake) => mistake.path)).toContain(path);
    expect(mistakes.find((mistake) => mistake.path === path)?.message).toMatch(message);
  });

  test('what only a part can tell is told too', () => {
    const slow = route({ limit: { limits: { algorithm: 'fixedWindow', limit: 1, per: '1s', burst: 5 } } });
    expect(mistakesOf(slow)).toMatchObject([{ message: expect.stringContaining('burst') }]);
  });
});

test('two routes of one name are refused', () => {
  const [first] = valid.routes;
  const mistakes = mistakesOf({
    ...valid,
    routes: [
      { ...first, name: 'a' },
      { ...first, name: 'a' },
    ],
  });
  expect(mistakes).toEqual([{ path: 'routes[1].name', message: "'a' is taken by another route" }]);
  // The second one is called so for want of a name.
  expect(mistakesOf({ ...valid, routes: [{ ...first, name: 'route-2' }, first] })).toEqual([
    { path: 'routes[1].name', message: "'route-2' is taken by another route" },
  ]);
});

test('1,000 configurations with something broken in them: an error with a place, and never a gateway', () => {
  const base = JSON.stringify({
    ...valid,
    listen: { port: 1 },
    dashboard: { auth: { user: 'a', password: 'b' } },
    routes: [
      {
        ...valid.routes[0],
        timeout: { head: '1s' },
        retry: { max: 1 },
        cors: { origins: ['https://a.example'] },
        cache: {},
      },
    ],
  });
  const junk = fc.oneof(
    fc.constant(null),
    fc.constant(-1),
    fc.constant({ surprise: true }),
    fc.constant([{ surprise: true }]),
    fc.constant('\u0000'),
    fc.constant([]),
    fc.double({ min: -10, max: -1, noNaN: true }),
  );
  /** Every place in a JSON value. */
  const places = (value: unknown, path: (string | number)[] = []): (string | number)[][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, inner]) => {
          const here = [...path, Array.isArray(value) ? Number(name) : name];
          return [here, ...places(inner, here)];
        })
      : [];
  const all = places(JSON.parse(base));
  fc.assert(
    fc.property(fc.constantFrom(...all), junk, fc.boolean(), (place, value, misspell) => {
      const config = JSON.parse(base);
      const parent = place.slice(0, -1).reduce((at, part) => at[part], config);
      const last = place.at(-1)!;
      if (misspell && typeof last === 'string') {
        parent[`${last}x`] = parent[last];
        // Names of upstreams and auths may be anything; then what names them dangles.
        delete parent[last];
      } else parent[last] = value;
      let made: unknown;
      try {
        made = createGateway(config);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        for (const mistake of (error as ConfigError).mistakes) expect(mistake.message).not.toBe('');
        return;
      }
      // Some places are optional, or take what was put there.
      void (made as { close(): Promise<void> }).close();
    }),
    { numRuns: 1_000, seed: 7 },
  );
});
