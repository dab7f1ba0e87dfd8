import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createKey, type Leave, type Outcome, type Reply } from '@weir/core';
import { type FakeExchange, type FakeRequest, fakeExchange, ManualClock } from '@weir/core/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  byAddress,
  byHeader,
  byPlan,
  createLimiter,
  fixedWindow,
  type HeaderStyle,
  leakyBucket,
  protectLogin,
  type RateLimitOptions,
  type RateLimitPolicy,
  rateLimit,
  slidingLog,
  tokenBucket,
} from '../src/index.ts';
import { MemoryStore } from './memory-store.ts';
import { parseList } from './structured-fields.ts';

const outcome = (status: number, kind: Outcome['kind'] = 'ok'): Outcome => ({
  status,
  kind,
  headMs: 1,
  durationMs: 1,
});
const clock = new ManualClock(0, 1_699_999_200_000);

const make = (options: RateLimitOptions = {}): RateLimitPolicy =>
  rateLimit({ limits: fixedWindow({ limit: 2, per: '1m' }), clock, ...options });

/** Enters, and leaves with this status if it passed. */
function pass(
  policy: RateLimitPolicy,
  request: FakeRequest = {},
  status = 200,
): FakeExchange & { reply?: Reply } {
  const x: FakeExchange & { reply?: Reply } = fakeExchange(request);
  const entered = policy.enter(x);
  if (typeof entered === 'function') (entered as Leave)(outcome(status));
  else if (entered !== undefined) x.reply = entered as Reply;
  return x;
}
const refused = (policy: RateLimitPolicy, request?: FakeRequest): boolean =>
  pass(policy, request).reply !== undefined;

const header = (x: FakeExchange, name: string): string => (x.responseHeaders.get(name) ?? []).join(', ');

afterEach(() => void vi.useRealTimers());

describe('rateLimit', () => {
  test('refuses with 429, the time to wait rounded up, and a problem document that is built once', () => {
    const policy = make({ limits: fixedWindow({ limit: 1, per: '1m', name: 'minute' }) });
    pass(policy);
    clock.advance(100);
    const { reply } = pass(policy);
    expect(reply).toMatchObject({ status: 429, kind: undefined });
    expect(reply!.headers).toEqual(['content-type', 'application/problem+json', 'retry-after', '60']);
    expect(JSON.parse(String(reply!.body))).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      'violated-policies': ['minute'],
    });
    expect(pass(policy).reply).toBe(reply);
    clock.advance(30_500);
    expect(pass(policy).reply!.headers).toContain('30');
    expect(pass(policy).reply!.body).toBe(reply!.body);
    clock.advance(28_500);
    // What is left is 0.9 s, then a millisecond: never 0, never too early.
    expect(pass(policy).reply!.headers).toContain('1');
    clock.advance(899);
    expect(pass(policy).reply!.headers).toContain('1');
    clock.advance(1);
    expect(pass(policy).reply).toBeUndefined();
  });

  test('names the limits that are exceeded, and only those', () => {
    const policy = make({
      limits: [
        slidingLog({ limit: 1, per: '1s', name: 'a "second"' }),
        slidingLog({ limit: 5, per: '1h', name: 'hour' }),
        slidingLog({ limit: 1, per: '1d', name: 'day' }),
      ],
    });
    pass(policy);
    const violated = (): unknown => JSON.parse(String(pass(policy).reply!.body))['violated-policies'];
    expect(violated()).toEqual(['a "second"', 'day']);
    clock.advance('1s');
    expect(violated()).toEqual(['day']);
  });

  test('says never where a cost never fits', () => {
    const { reply } = pass(make({ cost: 3 }));
    expect(reply).toMatchObject({ status: 429 });
    expect(reply!.headers).not.toContain('retry-after');
  });

  test('counts by address, IPv6 by /64', () => {
    const policy = make();
    const from = (ip: string): boolean => refused(policy, { ip });
    expect([from('192.0.2.1'), from('192.0.2.1'), from('192.0.2.1')]).toEqual([false, false, true]);
    expect(from('192.0.2.2')).toBe(false);
    expect([from('2001:db8::1'), from('2001:db8::2'), from('2001:db8::ffff:3')]).toEqual([
      false,
      false,
      true,
    ]);
    expect(from('2001:db8:0:1::1')).toBe(false);
    const narrow = make({ key: byAddress(128) });
    expect(['::1', '::2', '::3'].map((ip) => refused(narrow, { ip }))).toEqual([false, false, false]);
    const site = make({ key: byAddress(48) });
    expect(
      ['2001:db8:1:1::1', '2001:db8:1:2::1', '2001:db8:1:3::1'].map((ip) => refused(site, { ip })),
    ).toEqual([false, false, true]);
    for (const bad of [0, 129, 64.5, '64' as never]) {
      expect(() => byAddress(bad)).toThrow(expect.objectContaining({ option: 'ipv6Prefix' }));
    }
  });

  test('counts by header, and by address where there is none, so that leaving it out is no way round', () => {
    const policy = make({ key: byHeader('X-Api-Key') });
    const by = (key?: string): boolean =>
      refused(policy, key === undefined ? {} : { headers: { 'x-api-key': key } });
    expect([by('a'), by('a'), by('a'), by('b')]).toEqual([false, false, true, false]);
    expect([by(), by(), by()]).toEqual([false, false, true]);
    expect(refused(policy, { ip: '192.0.2.2' })).toBe(false);
    // Nobody spends the budget of an address by sending it as a key.
    expect(by('192.0.2.1')).toBe(false);
    expect(() => byHeader('')).toThrow(expect.objectContaining({ option: 'name' }));
  });

  test('counts by user, as another policy has left it', () => {
    const userKey = createKey<string>('user');
    const policy = make({ key: (x) => x.get(userKey) });
    const as = (user: string): boolean => {
      const x = fakeExchange();
      x.set(userKey, user);
      return policy.enter(x) !== undefined;
    };
    expect([as('a'), as('a'), as('a'), as('b')]).toEqual([false, false, true, false]);
  });

  test('charges the cost of a request, and throws a typed error for one that is none', () => {
    const policy = make({
      limits: fixedWindow({ limit: 10, per: '1m' }),
      cost: (x) => Number(x.header('n')),
    });
    expect(refused(policy, { headers: { n: '8' } })).toBe(false);
    expect(refused(policy, { headers: { n: '3' } })).toBe(true);
    for (const n of ['x', '-1', '0.5', 'Infinity']) {
      expect(() => policy.enter(fakeExchange({ headers: { n } }))).toThrow(
        expect.objectContaining({ code: 'ERR_WEIR_INVALID_COST' }),
      );
    }
    expect(() => make({ key: () => 5 as never }).enter(fakeExchange())).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_KEY' }),
    );
    expect(refused(policy, { headers: { n: '2' } })).toBe(false);
  });

  test('leaves out what is skipped, allowed or a preflight, headers and all', () => {
    const policy = make({ skip: (x) => x.path === '/health', allow: ['192.0.2.7'] });
    const preflight = { method: 'OPTIONS', headers: { 'access-control-request-method': 'PUT' } };
    for (let i = 0; i < 5; i += 1) {
      for (const request of [{ url: '/health' }, { ip: '192.0.2.7' }, preflight]) {
        const x = pass(policy, request);
        expect(x.reply).toBeUndefined();
        expect(x.responseHeaders.size).toBe(0);
      }
    }
    expect(policy.limiter.snapshot()).toMatchObject({ allowed: 0, refused: 0 });
    // Other OPTIONS requests are as good as any.
    expect([1, 2, 3].map(() => refused(policy, { method: 'OPTIONS' }))).toEqual([false, false, true]);
    const strict = make({ preflight: true });
    expect([1, 2, 3].map(() => refused(strict, preflight))).toEqual([false, false, true]);
  });

  test('in shadow mode decides and counts, but never refuses and sends no headers', () => {
    const policy = make({ shadow: true, wait: true, name: 'shadow' });
    const seen: unknown[] = [];
    const listen = (message: unknown): void => void seen.push(message);
    subscribe('weir:rate-limit:refused', listen);
    for (let i = 0; i < 5; i += 1) {
      const x = pass(policy);
      expect(x.reply).toBeUndefined();
      expect(x.responseHeaders.size).toBe(0);
    }
    unsubscribe('weir:rate-limit:refused', listen);
    expect(policy.limiter.snapshot()).toMatchObject({ allowed: 2, refused: 0, shadowRefused: 3 });
    expect(seen).toHaveLength(3);
    expect(seen[0]).toMatchObject({ limiter: 'shadow', shadow: true, decision: { allowed: false } });
    expect(JSON.stringify(seen)).not.toContain('192.0.2.1');
  });

  test('gives back, or charges, what a request turned out to cost', () => {
    const failures = make({ settle: ({ status }) => (status === 401 ? 1 : 0), until: 'head' });
    expect(failures.until).toBe('head');
    for (let i = 0; i < 10; i += 1) expect(pass(failures, {}, 200).reply).toBeUndefined();
    pass(failures, {}, 401);
    pass(failures, {}, 401);
    expect(pass(failures, {}, 200).reply).toMatchObject({ status: 429 });

    const tokens = make({ limits: fixedWindow({ limit: 100, per: '1m' }), cost: 10, settle: () => 35 });
    for (let i = 0; i < 3; i += 1) expect(pass(tokens).reply).toBeUndefined();
    // 105 are spent, 5 more than there are.
    expect(pass(tokens).reply).toMatchObject({ status: 429 });
    expect(tokens.until).toBe('end');
  });

  test('throws on a settlement that is no cost, having charged what it charged', () => {
    const policy = make({ settle: () => Number.NaN });
    expect(() => pass(policy)).toThrow(expect.objectContaining({ code: 'ERR_WEIR_INVALID_COST' }));
    expect(policy.limiter.peek('192.0.2.1')).toMatchObject({ remaining: 1 });
  });

  test('holds requests instead of refusing them, and stops when the client goes away', async () => {
    vi.useFakeTimers();
    const time = new ManualClock();
    const policy = rateLimit({
      limits: leakyBucket({ limit: 10, per: '1s', capacity: 3 }),
      wait: '5s',
      clock: time,
    });
    const pause = async (ms: number): Promise<void> => {
      time.advance(ms);
      await vi.advanceTimersByTimeAsync(ms);
    };
    expect(await policy.enter(fakeExchange())).toBeUndefined();
    const held = fakeExchange();
    const gone = fakeExchange();
    const passed = policy.enter(held);
    const left = policy.enter(gone);
    expect(await policy.enter(fakeExchange())).toMatchObject({ status: 429 });
    gone.abort();
    expect(await left).toBeUndefined();
    await pause(100);
    expect(await passed).toBeUndefined();
    expect(header(held, 'ratelimit')).not.toBe('');
    expect(header(gone, 'ratelimit')).toBe('');
    expect(policy.limiter.snapshot()).toMatchObject({ waiting: 0 });
    expect(vi.getTimerCount()).toBe(0);
    const usual = make({ wait: true });
    expect(await usual.enter(fakeExchange())).toBeUndefined();
  });

  test('lets a limiter that fails on a waiting request speak for itself', async () => {
    const policy = make({ wait: true, cost: () => -1 });
    await expect(policy.enter(fakeExchange())).rejects.toMatchObject({ code: 'ERR_WEIR_INVALID_COST' });
  });

  test('works over a store, and answers 503 where that fails and is to close', async () => {
    const store = new MemoryStore(clock);
    const policy = make({ store, onStoreError: 'closed', settle: ({ status }) => (status === 200 ? 0 : 3) });
    const x = fakeExchange();
    const leave = (await policy.enter(x)) as Leave;
    expect(header(x, 'ratelimit-policy')).toBe('"2-per-1m";q=2;w=60');
    leave(outcome(200));
    expect(x.pending).toHaveLength(1);
    await x.pending[0];
    expect(await policy.limiter.peek('192.0.2.1')).toMatchObject({ remaining: 2 });
    ((await policy.enter(x)) as Leave)(outcome(500));
    await Promise.all(x.pending);
    expect(await policy.limiter.peek('192.0.2.1')).toMatchObject({ remaining: 0 });
    expect(await policy.enter(fakeExchange())).toMatchObject({ status: 429 });

    store.decide = () => {
      throw new Error('down');
    };
    const closed = fakeExchange();
    const reply = (await policy.enter(closed)) as Reply;
    expect(reply.status).toBe(503);
    expect(reply.headers).toContain('retry-after');
    expect(JSON.parse(String(reply.body)).type).toMatch(/#temporary-reduced-capacity$/);
    expect(closed.responseHeaders.size).toBe(0);
    const open = make({ store, onStoreError: 'open' });
    const admitted = fakeExchange();
    expect(await open.enter(admitted)).toBeUndefined();
    // Fails open without a lying header.
    expect(admitted.responseHeaders.size).toBe(0);
  });

  test('calls a blocked client abnormal', () => {
    const policy = make();
    (policy.limiter as ReturnType<typeof createLimiter>).block('192.0.2.1', '1h');
    const { reply } = pass(policy);
    expect(JSON.parse(String(reply!.body)).type).toMatch(/#abnormal-usage-detected$/);
    expect(reply!.headers).toContain('3600');
  });

  test('answers with a reply of the user', () => {
    const policy = make({
      reply: (x, { retryAfterMs }) => ({ status: 420, body: `${x.path} ${retryAfterMs > 0}` }),
    });
    pass(policy);
    pass(policy);
    expect(pass(policy, { url: '/a?b' }).reply).toEqual({ status: 420, body: '/a true' });
  });

  test('shares a limiter that is given, and shows the one it made', () => {
    const limiter = createLimiter({ limits: fixedWindow({ limit: 2, per: '1m' }), clock });
    const [a, b] = [rateLimit({ limiter }), rateLimit({ limiter })];
    expect([refused(a), refused(b), refused(a)]).toEqual([false, false, true]);
    expect(a.limiter).toBe(limiter);
    expect(make({ name: 'shown' }).limiter.name).toBe('shown');
    expect(make().name).toBe('rate-limit');
  });

  test('keeps no more prepared bodies than a thousand, though limits be made up as they come', () => {
    const policy = make({
      limits: (key) => fixedWindow({ limit: 1, per: '1d', name: key }),
      key: (x) => x.path,
    });
    for (let i = 0; i < 64; i += 1) {
      pass(policy, { url: `/${i}` });
      expect(JSON.parse(String(pass(policy, { url: `/${i}` }).reply!.body))['violated-policies']).toEqual([
        `/${i}`,
      ]);
    }
  });

  test.each([
    ['key', { key: 'ip' }],
    ['cost', { cost: -1 }],
    ['cost', { cost: '1' }],
    ['skip', { skip: true }],
    ['settle', { settle: 1 }],
    ['reply', { reply: {} }],
    ['allow', { allow: '192.0.2.1' }],
    ['allow', { allow: [5] }],
    ['preflight', { preflight: 'yes' }],
    ['shadow', { shadow: 1 }],
    ['headers', { headers: 'draft-8' }],
    ['headers', { headers: true }],
    ['until', { until: 'body' }],
    ['wait', { wait: -1 }],
    ['wait', { wait: '30d' }],
    ['limits', { limits: undefined }],
    ['max', { max: 100 }],
    ['limiter', { limiter: {} }],
    [
      'maxKeys',
      {
        limiter: createLimiter({ limits: fixedWindow({ limit: 1, per: 1 }) }),
        limits: undefined,
        maxKeys: 5,
      },
    ],
  ])('refuses a bad `%s`: %o', (option, bad) => {
    expect(() => make(bad as RateLimitOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION', option }),
    );
  });
});

describe('headers', () => {
  const limits = [
    fixedWindow({ limit: 5, per: '1m', name: 'min"u\\te' }),
    tokenBucket({ limit: 100, per: '1h', burst: 50, name: 'hour' }),
    slidingLog({ limit: 1000, per: 1500, name: 'short' }),
  ];
  const styled = (headers: HeaderStyle): RateLimitPolicy => make({ limits, headers });

  test('draft 11 tells of every limit, as structured fields', () => {
    const policy = styled('draft-11');
    const x = pass(policy);
    expect(header(x, 'ratelimit-policy')).toBe(
      '"min\\"u\\\\te";q=5;w=60, "hour";q=50;w=1800, "short";q=1000;w=2',
    );
    expect(parseList(header(x, 'ratelimit-policy'))).toEqual([
      { value: 'min"u\\te', parameters: { q: 5, w: 60 } },
      { value: 'hour', parameters: { q: 50, w: 1800 } },
      { value: 'short', parameters: { q: 1000, w: 2 } },
    ]);
    const [minute, hour, short] = parseList(header(x, 'ratelimit'));
    expect(minute).toMatchObject({ value: 'min"u\\te', parameters: { r: 4 } });
    expect(hour).toMatchObject({ value: 'hour', parameters: { r: 49, t: 36 } });
    expect(short).toMatchObject({ value: 'short', parameters: { r: 999, t: 2 } });
    for (let i = 0; i < 4; i += 1) pass(policy);
    const last = pass(policy);
    const [exceeded] = parseList(header(last, 'ratelimit'));
    const { headers } = last.reply!;
    // Retry-After is never earlier than t.
    expect(Number(headers![headers!.indexOf('retry-after') + 1])).toBe(exceeded!.parameters.t);
    expect(exceeded!.parameters.r).toBe(0);
  });

  test('draft 11 is what a parser takes, whatever a limit may be called', () => {
    for (const name of [' ', '"', '\\', '\\"', ';r=9', ', "x"', '~', 'a'.repeat(100)]) {
      const x = pass(make({ limits: fixedWindow({ limit: 1e12, per: '366d', name }) }));
      expect(parseList(header(x, 'ratelimit-policy'))).toEqual([
        { value: name, parameters: { q: 1e12, w: 366 * 86_400 } },
      ]);
      expect(parseList(header(x, 'ratelimit'))[0]).toMatchObject({
        value: name,
        parameters: { r: 1e12 - 1 },
      });
    }
  });

  test('draft 7 tells of the tightest limit', () => {
    const x = pass(styled('draft-7'));
    expect(header(x, 'ratelimit-policy')).toBe('5;w=60, 50;w=1800, 1000;w=2');
    expect(header(x, 'ratelimit')).toMatch(/^limit=5, remaining=4, reset=\d+$/);
  });

  test('draft 6 tells it in three', () => {
    const x = pass(styled('draft-6'));
    expect(header(x, 'ratelimit-limit')).toBe('5');
    expect(header(x, 'ratelimit-remaining')).toBe('4');
    expect(Number(header(x, 'ratelimit-reset'))).toBeLessThanOrEqual(60);
    expect(header(x, 'ratelimit-policy')).toBe('5;w=60, 50;w=1800, 1000;w=2');
  });

  test('legacy tells it with an X, and the reset as a date in seconds', () => {
    const x = pass(styled('legacy'));
    expect(header(x, 'x-ratelimit-limit')).toBe('5');
    expect(header(x, 'x-ratelimit-remaining')).toBe('4');
    const reset = Number(header(x, 'x-ratelimit-reset'));
    expect(reset * 1000).toBeGreaterThan(clock.epoch());
    expect(reset * 1000).toBeLessThanOrEqual(clock.epoch() + 61_000);
    expect([...x.responseHeaders.keys()].every((name) => name.startsWith('x-'))).toBe(true);
  });

  test('none are sent if none are wanted', () => {
    const policy = make({ headers: false });
    for (let i = 0; i < 3; i += 1) expect(pass(policy).responseHeaders.size).toBe(0);
    expect(pass(policy).reply!.headers).toContain('retry-after');
  });

  test('two limiters on one request add their limits, and never overwrite each other', () => {
    const clocked = (limit: number, name: string, headers: HeaderStyle): RateLimitPolicy =>
      make({ limits: fixedWindow({ limit, per: '1m', name }), headers });
    const both = (headers: HeaderStyle, limits: readonly [number, number]): FakeExchange => {
      const x = fakeExchange();
      for (const [i, limit] of limits.entries()) clocked(limit, `limit-${i}`, headers).enter(x);
      return x;
    };
    const x = both('draft-11', [5, 9]);
    expect(parseList(header(x, 'ratelimit')).map(({ value, parameters }) => [value, parameters.r])).toEqual([
      ['limit-0', 4],
      ['limit-1', 8],
    ]);
    expect(parseList(header(x, 'ratelimit-policy'))).toHaveLength(2);
    // Where only one can be told of, it is the tightest, whichever comes first.
    for (const order of [
      [5, 9],
      [9, 5],
    ] as const) {
      expect(header(both('draft-7', order), 'ratelimit')).toMatch(/^limit=5, remaining=4/);
      expect(header(both('draft-6', order), 'ratelimit-remaining')).toBe('4');
      expect(header(both('legacy', order), 'x-ratelimit-limit')).toBe('5');
    }
    expect(header(both('draft-7', [5, 9]), 'ratelimit-policy')).toBe('5;w=60, 9;w=60');
  });

  test('a refusal is told of, though another limiter has less left', () => {
    const x = fakeExchange();
    make({ limits: fixedWindow({ limit: 1, per: '1m' }), headers: 'draft-6' }).enter(x);
    const dear = make({ limits: fixedWindow({ limit: 9, per: '1h' }), headers: 'draft-6', cost: 10 });
    expect(dear.enter(x)).toMatchObject({ status: 429 });
    expect(header(x, 'ratelimit-limit')).toBe('9');
  });

  test('one parser in the tests is strict', () => {
    for (const bad of [
      '',
      '"a',
      'a',
      '"a";q',
      '"a";q=1,',
      '"a" "b"',
      '"a";Q=1',
      '"é"',
      '1.5',
      '"a";q="\\x"',
    ]) {
      if (bad === '"a";q') expect(parseList(bad)[0]!.parameters).toEqual({ q: true });
      else expect(() => parseList(bad)).toThrow();
    }
  });
});

describe('byPlan', () => {
  const plans = { free: fixedWindow({ limit: 1, per: '1h' }), pro: [fixedWindow({ limit: 3, per: '1h' })] };
  const request = (plan: string, user?: string): FakeRequest => ({
    headers: { plan, ...(user === undefined ? {} : { user }) },
  });
  const policy = (): RateLimitPolicy =>
    make({
      ...byPlan(
        plans,
        (x) => x.header('plan') as 'free' | 'pro',
        (x) => x.header('user'),
      ),
    });

  test('gives each plan its limits', () => {
    const planned = policy();
    const hits = (plan: string, user?: string): boolean[] =>
      [1, 2, 3, 4].map(() => refused(planned, request(plan, user)));
    expect(hits('free', 'a')).toEqual([false, true, true, true]);
    expect(hits('pro', 'b')).toEqual([false, false, false, true]);
    expect(hits('free')).toEqual([false, true, true, true]);
    expect(hits('pro', 'a')).toEqual([false, false, false, true]);
  });

  test('throws a typed error for a plan that there is none of', () => {
    for (const plan of ['', 'gold', '__proto__', 'free\npro']) {
      expect(() => policy().enter(fakeExchange(request(plan, 'a')))).toThrow(
        expect.objectContaining({ code: 'ERR_WEIR_INVALID_LIMITS' }),
      );
    }
  });

  test('refuses arguments that are none', () => {
    const plan = (): 'free' => 'free';
    expect(() => byPlan(null as never, plan)).toThrow(expect.objectContaining({ option: 'plans' }));
    expect(() => byPlan(plans, 'free' as never)).toThrow(expect.objectContaining({ option: 'plan' }));
    expect(() => byPlan(plans, plan, 'user' as never)).toThrow(expect.objectContaining({ option: 'key' }));
    const usual = make({ ...byPlan(plans, plan) });
    expect([refused(usual), refused(usual), refused(usual, { ip: '192.0.2.9' })]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

describe('protectLogin', () => {
  const account = (x: { header(name: string): string | undefined }): string | undefined =>
    x.header('account');
  /** Runs one attempt through all policies, as an adapter would. */
  function attempt(
    policies: readonly RateLimitPolicy[],
    name: string | undefined,
    ip: string,
    status: number,
  ): number {
    const x = fakeExchange({ ip, headers: name === undefined ? {} : { account: name } });
    const leaves: Leave[] = [];
    let ended = outcome(status);
    for (const policy of policies) {
      const entered = policy.enter(x);
      if (typeof entered === 'function') leaves.unshift(entered as Leave);
      else if (entered !== undefined) {
        ended = outcome((entered as Reply).status, 'rejected');
        break;
      }
    }
    for (const leave of leaves) leave(ended);
    return ended.status;
  }
  const times = (n: number, call: () => number): number[] => Array.from({ length: n }, call);

  test('stops guessing at one account, and leaves others and successes alone', () => {
    const login = protectLogin({ account, clock });
    expect(times(20, () => attempt(login, 'ann', '192.0.2.1', 200))).toEqual(new Array(20).fill(200));
    expect(times(7, () => attempt(login, 'ann', '192.0.2.1', 401))).toEqual([
      401, 401, 401, 401, 401, 429, 429,
    ]);
    expect(attempt(login, 'ann', '192.0.2.1', 200)).toBe(429);
    // Her owner, from elsewhere, is not locked out; nor is another account from here.
    expect(attempt(login, 'ann', '192.0.2.2', 200)).toBe(200);
    expect(attempt(login, 'bob', '192.0.2.1', 200)).toBe(200);
    clock.advance('15m');
    expect(attempt(login, 'ann', '192.0.2.1', 200)).toBe(200);
  });

  test('stops one address that goes through many accounts, without counting what was refused', () => {
    const login = protectLogin({ account, clock, perAddress: slidingLog({ limit: 10, per: '1h' }) });
    let n = 0;
    for (let i = 0; i < 30; i += 1) attempt(login, 'same', '192.0.2.1', 403);
    expect(login[0]!.limiter.peek('192.0.2.1')).toMatchObject({ remaining: 5 });
    const guesses = times(7, () => attempt(login, `user-${(n += 1)}`, '192.0.2.1', 401));
    expect(guesses).toEqual([401, 401, 401, 401, 401, 429, 429]);
    expect(attempt(login, undefined, '192.0.2.1', 200)).toBe(429);
    expect(attempt(login, undefined, '192.0.2.3', 401)).toBe(401);
  });

  test('stops many addresses at one account, if asked to', () => {
    const login = protectLogin({
      account,
      clock,
      perAccount: slidingLog({ limit: 3, per: '1h' }),
      name: 'door',
    });
    let n = 0;
    const guesses = times(5, () => attempt(login, 'ann', `192.0.2.${(n += 1)}`, 401));
    expect(guesses).toEqual([401, 401, 401, 429, 429]);
    expect(login.map(({ limiter }) => limiter.name)).toEqual(['door-address', 'door-account', 'door-pair']);
  });

  test('lets no more through at once than one by one', () => {
    const login = protectLogin({ account, clock });
    const entered = Array.from({ length: 9 }, () =>
      login[1]!.enter(fakeExchange({ headers: { account: 'ann' } })),
    );
    expect(entered.filter((each) => typeof each === 'function')).toHaveLength(5);
  });

  test('judges failure and address as the user says', () => {
    const login = protectLogin({
      account,
      address: () => undefined,
      failed: ({ status }) => status === 422,
      perPair: slidingLog({ limit: 1, per: '1h' }),
      clock,
    });
    expect([401, 422, 200].map((status) => attempt(login, 'ann', '192.0.2.1', status))).toEqual([
      401, 422, 429,
    ]);
    for (const bad of [
      { account: 'x' },
      { account, failed: 1 },
      { account, limits: [] },
      { account, address: 1 },
    ]) {
      expect(() => protectLogin(bad as never)).toThrow(
        expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION' }),
      );
    }
  });
});
