import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GatewayProcess } from './support/gateway-process.ts';
import { UpstreamProcess } from './support/upstream-process.ts';

let upstream: UpstreamProcess;
let gateway: GatewayProcess;

const start = async (trustedProxies?: string[]): Promise<void> => {
  upstream = await UpstreamProcess.start();
  gateway = await GatewayProcess.start({
    ...(trustedProxies === undefined ? {} : { trustedProxies }),
    upstreams: { accounts: { servers: [upstream.url] } },
    routes: [
      {
        name: 'login',
        match: { path: '/login', method: 'POST' },
        login: {
          account: { json: 'email' },
          perPair: { algorithm: 'slidingLog', limit: 3, per: '1h' },
          perAddress: { algorithm: 'slidingLog', limit: 8, per: '1h' },
          perAccount: { algorithm: 'slidingLog', limit: 5, per: '1h' },
        },
        upstream: 'accounts',
      },
    ],
  });
};
const login = async (email: string, password: string, forwardedFor?: string): Promise<number> => {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  const body = JSON.stringify({ email, password });
  return (await gateway.ask('/login', { method: 'POST', headers, body })).status;
};
const guess = (email: string, forwardedFor?: string) => login(email, 'wrong', forwardedFor);

describe('behind a proxy that is trusted to say where a request comes from', () => {
  beforeAll(() => start(['127.0.0.1']), 60_000);
  // Each test has addresses and accounts of its own.
  let before = 0;
  beforeEach(async () => {
    before = await upstream.requests();
  });
  const reached = async (): Promise<number> => (await upstream.requests()) - before;

  test('one address may fail at an account three times, however it writes it; even the right password waits then', async () => {
    const [attacker, owner] = ['203.0.113.7', '198.51.100.20'];
    expect(await guess('ann@example.com', attacker)).toBe(401);
    expect(await guess('Ann@Example.COM', attacker)).toBe(401);
    expect(await guess(' ann@example.com ', attacker)).toBe(401);
    expect(await guess('ann@example.com', attacker)).toBe(429);
    expect(await login('ann@example.com', 'right', attacker)).toBe(429);
    expect(await reached()).toBe(3);
    // Her own way in is open.
    expect(await login('ann@example.com', 'right', owner)).toBe(200);
  });

  test('what a client claims in front of what the proxy has seen has no effect', async () => {
    const attacker = '203.0.113.17';
    const statuses: number[] = [];
    for (let i = 0; i < 20; i += 1)
      statuses.push(await guess('ben@example.com', `192.0.2.${i}, ${attacker}`));
    expect(statuses.filter((status) => status === 401)).toHaveLength(3);
    expect(statuses.slice(3).every((status) => status === 429)).toBe(true);
    expect(await reached()).toBe(3);
  });

  test('one address may fail eight times at all accounts, many addresses five times at one', async () => {
    const spraying: number[] = [];
    for (let i = 0; i < 12; i += 1) spraying.push(await guess(`user-${i}@example.com`, '203.0.113.8'));
    expect(spraying).toEqual([...Array(8).fill(401), ...Array(4).fill(429)]);
    const botnet: number[] = [];
    for (let i = 0; i < 12; i += 1) botnet.push(await guess('bob@example.com', `198.51.100.${i}`));
    expect(botnet).toEqual([...Array(5).fill(401), ...Array(7).fill(429)]);
    expect(await reached()).toBe(13);
  });

  test('guesses that come at once get no further, and logins that succeed cost nothing', async () => {
    const at = '203.0.113.9';
    const statuses = await Promise.all(Array.from({ length: 40 }, () => guess('cy@example.com', at)));
    expect(statuses.filter((status) => status === 401)).toHaveLength(3);
    expect(await reached()).toBe(3);
    for (let i = 0; i < 20; i += 1) expect(await login('dee@example.com', 'right', at)).toBe(200);
  });

  test('a login that names no account, or is too long to be one, is no way round', async () => {
    const at = '203.0.113.10';
    const post = async (body: string) =>
      (await gateway.ask('/login', { method: 'POST', headers: { 'x-forwarded-for': at }, body })).status;
    for (let i = 0; i < 8; i += 1) expect(await post(JSON.stringify({ password: 'wrong', n: i }))).toBe(401);
    expect(await post(JSON.stringify({ password: 'wrong' }))).toBe(429);
    expect(await post(JSON.stringify({ email: 'a'.repeat(20_000), password: 'wrong' }))).toBe(413);
    expect(await reached()).toBe(8);
  });
});

test('with nobody trusted, a client that sends another X-Forwarded-For each time is still one address', async () => {
  await start();
  const statuses: number[] = [];
  for (let i = 0; i < 20; i += 1) statuses.push(await guess(`user-${i}@example.com`, `192.0.2.${i}`));
  expect(statuses).toEqual([...Array(8).fill(401), ...Array(12).fill(429)]);
  expect(await upstream.requests()).toBe(8);
}, 60_000);
