import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type DnsDiscovery, type DnsDiscoveryOptions, dnsDiscovery } from '../src/dns.ts';
import { createPool, type Pool } from '../src/index.ts';
import { lease, shown } from './support.ts';

const open: DnsDiscovery[] = [];
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => {
  for (const each of open.splice(0)) each.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** A name whose addresses are in `zone`. */
function discover(options: Partial<DnsDiscoveryOptions> = {}, pool: Pool = createPool([])) {
  const zone: { addresses: readonly string[] | Error } = { addresses: ['10.0.0.1', '10.0.0.2'] };
  const resolve = vi.fn(async (_hostname: string) => {
    if (zone.addresses instanceof Error) throw zone.addresses;
    return zone.addresses;
  });
  const discovery = dnsDiscovery(pool, {
    url: 'http://api.internal:8080',
    interval: '30s',
    jitter: 0,
    resolve,
    ...options,
  });
  open.push(discovery);
  return { pool, zone, resolve, discovery, urls: () => pool.upstreams.map(({ url }) => url) };
}

describe('discovery by DNS', () => {
  test('fills the pool with a server for each address, and keeps the name', async () => {
    const { pool, resolve, discovery, urls } = discover({ upstream: { weight: 3, zone: 'a' } });
    expect(urls()).toEqual([]);
    await discovery.refresh();
    expect(urls()).toEqual(['http://10.0.0.1:8080', 'http://10.0.0.2:8080']);
    expect(pool.upstreams[0]).toMatchObject({ hostname: 'api.internal', weight: 3, zone: 'a' });
    expect(resolve).toHaveBeenCalledTimes(1);
    expect(resolve).toHaveBeenCalledWith('api.internal', expect.any(AbortSignal));
  });

  test('looks again after the interval, adds what is new and removes what is gone, whose requests go on', async () => {
    const { pool, zone, discovery, urls } = discover();
    await discovery.refresh();
    const held = lease(pool, { exclude: ['http://10.0.0.2:8080'] });
    const [, kept] = pool.upstreams;
    zone.addresses = ['10.0.0.2', '2001:db8::1'];
    await vi.advanceTimersByTimeAsync(29_999);
    expect(urls()).toHaveLength(2);
    expect(urls()).toContain('http://10.0.0.1:8080');
    await vi.advanceTimersByTimeAsync(1);
    expect(urls()).toEqual(['http://10.0.0.2:8080', 'http://[2001:db8::1]:8080']);
    expect(pool.upstreams[0]).toBe(kept);
    expect(held.upstream.inFlight).toBe(1);
    held.release({ outcome: 'ok' });
    expect(held.upstream.inFlight).toBe(0);
  });

  test('never leaves the pool empty while all addresses are exchanged', async () => {
    const { pool, zone, discovery } = discover();
    await discovery.refresh();
    let fewest = 2;
    pool.subscribe(() => {
      fewest = Math.min(fewest, pool.upstreams.length);
    });
    zone.addresses = ['10.0.0.8', '10.0.0.9'];
    await discovery.refresh();
    expect(fewest).toBe(2);
    expect(pool.upstreams).toHaveLength(2);
  });

  test.each([
    ['cannot be resolved', new Error('ENOTFOUND api.internal'), 'ENOTFOUND api.internal'],
    ['has no address', [], 'api.internal has no address'],
    ['has an address that is none', ['10.0.0.1', 'not an address'], 'Invalid URL'],
  ])('keeps the pool as it is while the name %s, and says so', async (_what, addresses, message) => {
    const heard: unknown[] = [];
    const listen = (event: unknown) => void heard.push(event);
    subscribe('weir:load-balancer:discovery-failed', listen);
    const { zone, discovery, urls } = discover();
    await discovery.refresh();
    zone.addresses = addresses;
    await expect(discovery.refresh()).rejects.toThrow(message);
    await vi.advanceTimersByTimeAsync(30_000);
    unsubscribe('weir:load-balancer:discovery-failed', listen);
    expect(urls()).toHaveLength(2);
    expect(heard).toHaveLength(2);
    expect(heard[0]).toMatchObject({ hostname: 'api.internal', error: expect.any(Error) });
    expect(discovery.snapshot()).toMatchObject({
      failures: 2,
      lookups: 3,
      error: expect.stringContaining(message),
    });
    zone.addresses = ['10.0.0.3'];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(urls()).toEqual(['http://10.0.0.3:8080']);
    expect(discovery.snapshot()).toMatchObject({ error: '', found: ['http://10.0.0.3:8080'] });
  });

  test('does not wait longer than the timeout for a resolver that hangs', async () => {
    let aborted: AbortSignal | undefined;
    const { discovery } = discover({
      timeout: '2s',
      resolve: (_hostname, signal) => {
        aborted = signal;
        return new Promise(() => {});
      },
    });
    const looking = discovery.refresh();
    const refused = expect(looking).rejects.toThrow('timed out after 2000 ms');
    expect(discovery.refresh()).toBe(looking);
    await vi.advanceTimersByTimeAsync(2_000);
    await refused;
    expect(aborted?.aborted).toBe(true);
    expect(discovery.snapshot()).toMatchObject({ lookups: 1 });
  });

  test('leaves servers alone that were added otherwise, and those that an operator drains', async () => {
    const pool = createPool(['http://10.0.0.1:8080', 'http://static']);
    const { zone, discovery, urls } = discover({}, pool);
    await discovery.refresh();
    void pool.drain('http://10.0.0.2:8080');
    await discovery.refresh();
    expect(shown(pool, 'http://10.0.0.2:8080')).toMatchObject({ state: 'draining' });
    zone.addresses = ['10.0.0.3'];
    await discovery.refresh();
    expect(urls()).toEqual(['http://10.0.0.1:8080', 'http://static', 'http://10.0.0.3:8080']);
  });

  test('varies the interval by the jitter', async () => {
    const { resolve } = discover({ jitter: 0.5, random: () => 0 });
    await vi.advanceTimersByTimeAsync(14_999);
    expect(resolve).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(resolve).toHaveBeenCalledTimes(2);
  });

  test('closing ends look-ups, also one that is under way, and leaves the servers', async () => {
    const { resolve, discovery, zone, urls } = discover();
    await discovery.refresh();
    zone.addresses = ['10.0.0.9'];
    const late = expect(discovery.refresh()).rejects.toThrow('cancelled');
    discovery.close();
    discovery[Symbol.dispose]();
    await late;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(resolve).toHaveBeenCalledTimes(2);
    expect(urls()).toEqual(['http://10.0.0.1:8080', 'http://10.0.0.2:8080']);
  });

  test('is a component', async () => {
    const { discovery } = discover({ name: 'api' });
    await discovery.actions!.refresh!();
    expect(discovery).toMatchObject({ kind: 'discovery', name: 'api' });
    expect(discovery.metrics().map((sample) => [sample.name, 'value' in sample && sample.value])).toEqual([
      ['weir_load_balancer_discovery_lookups_total', 1],
      ['weir_load_balancer_discovery_failures_total', 0],
      ['weir_load_balancer_discovery_found', 2],
    ]);
    expect(JSON.parse(JSON.stringify(discovery.snapshot()))).toEqual(discovery.snapshot());
  });

  test('by default asks the system', async () => {
    const pool = createPool([]);
    const discovery = dnsDiscovery(pool, { url: 'https://localhost' });
    open.push(discovery);
    vi.useRealTimers();
    await discovery.refresh();
    expect(
      pool.upstreams.map(({ url }) => url).some((url) => /^https:\/\/(127\.0\.0\.1|\[::1\])$/.test(url)),
    ).toBe(true);
    discovery.close();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });

  test.each([
    ['upstreams', { url: 'api.internal' }],
    ['upstreams', {}],
    ['upstream', { url: 'http://a', upstream: { hostname: 'b' } }],
    ['weight', { url: 'http://a', upstream: { weight: -1 } }],
    ['interval', { url: 'http://a', interval: 99 }],
    ['jitter', { url: 'http://a', jitter: 2 }],
    ['timeout', { url: 'http://a', timeout: 0 }],
    ['resolve', { url: 'http://a', resolve: 'dns' }],
    ['name', { url: 'http://a', name: '' }],
    ['random', { url: 'http://a', random: 1 }],
    ['ttl', { url: 'http://a', ttl: 1 }],
  ])('refuses a bad `%s`', (option, options) => {
    expect(() => dnsDiscovery(createPool([]), options as never)).toThrow(expect.objectContaining({ option }));
  });
});
