import type { Exchange } from '@weir/core';
import { describe, expect, test } from 'vitest';
import { weir } from '../src/fetch.ts';
import { canonicalAddress, inNetworks, parseNetwork, socketAddress } from '../src/internal/address.ts';
import { resolveClient } from '../src/internal/client.ts';
import { type HttpOptions, readSettings } from '../src/internal/settings.ts';

const client = (peer: string, headers: Record<string, string>, options: HttpOptions) =>
  resolveClient(peer, (name) => headers[name], readSettings(options));

describe('an address in a header', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    [' 192.0.2.1 ', '192.0.2.1'],
    ['192.0.2.1:5555', '192.0.2.1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:102:304', '1.2.3.4'],
    ['0:0:0:0:0:FFFF:C000:0201', '192.0.2.1'],
  ])('%s is %s', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  test.each([
    '',
    'unknown',
    '_hidden',
    'bogus',
    '010.0.0.1',
    '127.1',
    '0x7f.1',
    '2130706433',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.',
    '::ffff:010.0.0.1',
    '[::1',
    '[::1]x',
    '1::2::3',
    '1.2.3.4:x',
    '__proto__',
    "1.2.3.4'; drop",
  ])('%s is none', (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  });

  test('what a socket says is taken as it is, but for mapped IPv4 and zones', () => {
    expect(['192.0.2.1', '::1', '::ffff:10.0.0.1', 'fe80::1%eth0'].map(socketAddress)).toEqual([
      '192.0.2.1',
      '::1',
      '10.0.0.1',
      'fe80::1',
    ]);
  });
});

describe('trusted networks', () => {
  test.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.7', '10.0.0.7', true],
    ['10.0.0.7', '10.0.0.8', false],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8:0:0:0:0:0:0/32', '2001:db8:1::1', true],
    ['::ffff:10.0.0.0/104', '10.1.1.1', true],
    ['::ffff:10.0.0.0/104', '11.1.1.1', false],
    ['10.0.0.0/8', '::1', false],
  ])('%s holds %s: %s', (network, address, held) => {
    expect(inNetworks(address, [parseNetwork(network, 'trustedProxies')])).toBe(held);
  });

  // A mapped network that is read as IPv4 too late once made another library trust everybody.
  test.each([
    '::ffff:10.0.0.0/8',
    '10.0.0.0/33',
    '10.0.0/8',
    'everybody',
    '10.0.0.0/8/8',
    '10.0.0.1:80',
    '',
    7,
  ])('%s is refused', (network) => {
    expect(() => readSettings({ trustedProxies: [network as string] })).toThrow(
      expect.objectContaining({ option: 'trustedProxies' }),
    );
  });

  test.each([-1, 1.5, Number.NaN, 101, true, '10.0.0.0/8'])('%s is neither hops nor networks', (trusted) => {
    expect(() => readSettings({ trustedProxies: trusted as number })).toThrow(
      expect.objectContaining({ option: 'trustedProxies' }),
    );
  });

  test.each([
    ['forwardedHeader', { forwardedHeader: 'both' }],
    ['addressHeader', { addressHeader: '' }],
    ['onFault', { onFault: 'log' }],
    ['trustProxy', { trustProxy: true }],
  ])('a bad `%s` is refused', (option, options) => {
    expect(() => readSettings(options as never)).toThrow(expect.objectContaining({ option }));
  });
});

describe('the client', () => {
  const spoofed = {
    'x-forwarded-for': '6.6.6.6, 198.51.100.7, 10.0.0.2',
    forwarded: 'for=6.6.6.6',
    'x-real-ip': '6.6.6.6',
    'cf-connecting-ip': '6.6.6.6',
  };

  test('is the peer, whatever headers say, unless told otherwise', () => {
    expect(client('203.0.113.9', spoofed, {}).ip).toBe('203.0.113.9');
  });

  test('is the first untrusted address from the right, if the peer is trusted', () => {
    const trusting = { trustedProxies: ['10.0.0.0/8'] };
    expect(client('10.0.0.1', spoofed, trusting).ip).toBe('198.51.100.7');
    expect(client('203.0.113.9', spoofed, trusting).ip).toBe('203.0.113.9');
  });

  test.each([
    [0, '10.0.0.1'],
    [1, '10.0.0.2'],
    [2, '198.51.100.7'],
    [3, '6.6.6.6'],
    [4, '10.0.0.1'],
  ])('with %i hops is %s', (hops, ip) => {
    expect(client('10.0.0.1', spoofed, { trustedProxies: hops }).ip).toBe(ip);
  });

  test.each([
    ['198.51.100.7, bogus, 10.0.0.2', '10.0.0.2'],
    ['bogus', '10.0.0.1'],
    ['', '10.0.0.1'],
    [',,,', '10.0.0.1'],
    ['010.0.0.1', '10.0.0.1'],
    ['198.51.100.7:1234, 10.0.0.2:80', '198.51.100.7'],
    ['10.0.0.4, 10.0.0.3', '10.0.0.4'],
  ])('an entry that cannot be read ends the walk: "%s" gives %s', (list, ip) => {
    expect(client('10.0.0.1', { 'x-forwarded-for': list }, { trustedProxies: ['10.0.0.0/8'] }).ip).toBe(ip);
  });

  test.each([
    ['for=198.51.100.7', '198.51.100.7'],
    ['for="[2001:db8::1]:443";proto=https', '2001:db8::1'],
    ['for=6.6.6.6, For=198.51.100.7;by=10.0.0.1, for=10.0.0.2', '198.51.100.7'],
    ['for=_hidden, for=10.0.0.2', '10.0.0.2'],
    ['for="a\\"b, for=6.6.6.6', '10.0.0.1'],
    ['for', '10.0.0.1'],
    ['proto=https', '10.0.0.1'],
  ])('is read from Forwarded: %s gives %s', (forwarded, ip) => {
    const options: HttpOptions = { trustedProxies: ['10.0.0.0/8'], forwardedHeader: 'forwarded' };
    expect(client('10.0.0.1', { forwarded, 'x-forwarded-for': '6.6.6.6' }, options).ip).toBe(ip);
  });

  test('is read from a platform’s header only when told so', () => {
    expect(client('10.0.0.1', spoofed, { addressHeader: 'CF-Connecting-IP' }).ip).toBe('6.6.6.6');
    expect(client('10.0.0.1', { 'cf-connecting-ip': 'x' }, { addressHeader: 'cf-connecting-ip' }).ip).toBe(
      '10.0.0.1',
    );
  });

  test('without an address is one named bucket', () => {
    expect(client('', {}, {}).ip).toBe('unknown');
    expect(client('', spoofed, { trustedProxies: ['10.0.0.0/8'] }).ip).toBe('unknown');
  });

  test('host and protocol are forwarded by trusted proxies only', () => {
    const headers = {
      'x-forwarded-for': '198.51.100.7',
      'x-forwarded-host': 'evil, shop.example',
      'x-forwarded-proto': 'https',
    };
    const trusted = client('10.0.0.1', headers, { trustedProxies: ['10.0.0.0/8'] });
    expect(trusted).toEqual({ ip: '198.51.100.7', host: 'shop.example', protocol: 'https' });
    expect(client('203.0.113.9', headers, { trustedProxies: ['10.0.0.0/8'] })).toMatchObject({
      host: undefined,
      protocol: undefined,
    });
    expect(
      client('10.0.0.1', { ...headers, 'x-forwarded-proto': 'gopher' }, { trustedProxies: 1 }).protocol,
    ).toBeUndefined();
  });
});

test('a host without addresses is reported once, and its clients count together', async () => {
  const faults: [unknown, string][] = [];
  const seen: string[] = [];
  const handler = weir((x: Exchange) => void seen.push(x.ip), {
    onFault: (error, where) => faults.push([error, where]),
  }).wrap(() => new Response('hello'));
  await handler(new Request('http://localhost/'));
  await handler(new Request('http://localhost/'));
  expect(seen).toEqual(['unknown', 'unknown']);
  expect(faults).toEqual([
    [expect.objectContaining({ code: 'ERR_WEIR_NO_ADDRESS' }), "finding the client's address"],
  ]);
});
