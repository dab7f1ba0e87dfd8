import { InvalidOptionError } from '@weir/core';
import { type FakeRequest, fakeExchange } from '@weir/core/testing';
import { describe, expect, test } from 'vitest';
import {
  createJump,
  createRing,
  directoryShards,
  fromAddress,
  fromCookie,
  fromHeader,
  fromParam,
  rangeShards,
  shard,
  shardKey,
} from '../src/index.ts';

const topology = createRing(['db-1', 'db-2', 'db-3']);
const request = (tenant: string): FakeRequest => ({ headers: { 'x-tenant': tenant } });
const options = { key: fromHeader('x-tenant'), topology };

describe('shard', () => {
  test('puts the shard on the exchange and names it in a header', () => {
    const x = fakeExchange(request('acme'));
    expect(shard(options).enter(x)).toBeUndefined();
    const id = topology.get('acme')!;
    expect(x.get(shardKey)).toEqual({ id, node: id, key: 'acme', version: topology.version });
    expect(x.responseHeaders.get('x-shard')).toEqual([id]);
  });

  test('hands the node as it was given', () => {
    const node = { id: 'db-1', url: 'postgres://db-1' };
    const x = fakeExchange(request('acme'));
    shard({ ...options, topology: createRing([node]) }).enter(x);
    expect(x.get(shardKey)?.node).toBe(node);
  });

  test('a request without a key is answered 400, or passes if that is wished', () => {
    for (const each of [{}, request('')]) {
      expect(shard(options).enter(fakeExchange(each))).toMatchObject({ status: 400 });
      const x = fakeExchange(each);
      expect(shard({ ...options, missing: 'pass' }).enter(x)).toBeUndefined();
      expect(x.get(shardKey)).toBeUndefined();
      expect(x.responseHeaders.size).toBe(0);
    }
  });

  test('if nobody owns the key the answer is 503', () => {
    expect(shard({ ...options, topology: createRing([]) }).enter(fakeExchange(request('a')))).toMatchObject({
      status: 503,
    });
  });

  test('a process that is not the owner answers 421 and says who is', () => {
    const owner = topology.get('acme')!;
    const x = fakeExchange(request('acme'));
    expect(shard({ ...options, self: owner }).enter(x)).toBeUndefined();
    const other = fakeExchange(request('acme'));
    expect(shard({ ...options, self: 'db-9' }).enter(other)).toMatchObject({ status: 421 });
    expect(other.responseHeaders.get('x-shard')).toEqual([owner]);
  });

  test('the header can have another name, or none', () => {
    const named = fakeExchange(request('acme'));
    shard({ ...options, header: 'x-db' }).enter(named);
    expect([...named.responseHeaders.keys()]).toEqual(['x-db']);
    const bare = fakeExchange(request('acme'));
    shard({ ...options, header: false }).enter(bare);
    expect(bare.responseHeaders.size).toBe(0);
  });

  test.each([
    ['ключ', '%D0%BA%D0%BB%D1%8E%D1%87'],
    ['a b\r\nset-cookie: x', 'a%20b%0D%0Aset-cookie%3A%20x'],
    ['\ud800', '%EF%BF%BD'],
    ['http://10.0.0.1:80', 'http://10.0.0.1:80'],
  ])('the id %j is a safe field value', (id, value) => {
    const x = fakeExchange(request('acme'));
    shard({ ...options, topology: createRing([id]) }).enter(x);
    expect(x.responseHeaders.get('x-shard')).toEqual([value]);
  });

  test('a function exchanges the placement between requests', () => {
    let current = createRing(['db-1']);
    const policy = shard({ ...options, topology: () => current });
    const first = fakeExchange(request('acme'));
    policy.enter(first);
    current = createRing(['db-2']);
    const second = fakeExchange(request('acme'));
    policy.enter(second);
    expect([first.get(shardKey)?.id, second.get(shardKey)?.id]).toEqual(['db-1', 'db-2']);
  });

  test('takes any placement', () => {
    const numbered = fakeExchange({ url: '/tenants/7' });
    const key = (x: { path: string }) => Number(x.path.split('/')[2]);
    shard({ key, topology: createJump(3) }).enter(numbered);
    expect(numbered.get(shardKey)).toMatchObject({ node: createJump(3).get(7), key: 7 });
    const listed = fakeExchange(request('big'));
    shard({ ...options, topology: directoryShards([['big', 'own']]) }).enter(listed);
    expect(listed.get(shardKey)?.id).toBe('own');
    const ranged = fakeExchange(request('m'));
    shard({ ...options, topology: rangeShards([{ shard: { id: 'all' } }]) }).enter(ranged);
    expect(ranged.get(shardKey)?.id).toBe('all');
  });

  test('is a policy by name, and answers at once', () => {
    const policy = shard(options);
    expect(policy.name).toBe('shard');
    expect(policy.enter(fakeExchange(request('a')))).toBeUndefined();
  });

  test.each([
    { key: 'x-tenant' },
    { key: undefined },
    { topology: undefined },
    { topology: {} },
    { missing: 'random' },
    { self: '' },
    { header: '' },
    { onMissing: 'reject' },
  ])('refuses %j', (wrong) => {
    expect(() => shard({ ...options, ...wrong } as never)).toThrow(InvalidOptionError);
  });
});

describe('keys', () => {
  test('from a header, whatever the case of its name', () => {
    expect(fromHeader('X-Tenant')(fakeExchange(request('acme')))).toBe('acme');
    expect(fromHeader('x-other')(fakeExchange(request('acme')))).toBeUndefined();
    expect(() => fromHeader('')).toThrow(InvalidOptionError);
  });

  test.each([
    ['tenant=acme', 'acme'],
    ['a=1; tenant=acme; b=2', 'acme'],
    ['xtenant=no; tenant="quoted"', 'quoted'],
    ['tenant=a=b', 'a=b'],
    ['tenant=1; tenant=2', '1'],
    ['tenant=', ''],
    ['tenant', undefined],
    ['', undefined],
  ])('from the cookie header %j', (cookie, value) => {
    expect(fromCookie('tenant')(fakeExchange({ headers: { cookie } }))).toBe(value);
  });

  test('from a cookie that was not sent', () => {
    expect(fromCookie('tenant')(fakeExchange())).toBeUndefined();
    expect(() => fromCookie('')).toThrow(InvalidOptionError);
  });

  test.each([
    ['/tenants/acme', 'acme'],
    ['/tenants/acme/orders?x=1', 'acme'],
    ['/tenants/a%2Fb%20c', 'a/b c'],
    ['/tenants/%', undefined],
    ['/tenants', undefined],
    ['/tenants/', ''],
    ['/users/acme', undefined],
  ])('from the path %s', (url, value) => {
    expect(fromParam('/tenants/:tenant')(fakeExchange({ url }))).toBe(value);
  });

  test.each(['tenants/:tenant', '/tenants', '/:a/:b', '/:', ''])('refuses the pattern %j', (pattern) => {
    expect(() => fromParam(pattern)).toThrow(InvalidOptionError);
  });

  test('from the address, an IPv6 client by its network', () => {
    expect(fromAddress()(fakeExchange({ ip: '192.0.2.7' }))).toBe('192.0.2.7');
    expect(fromAddress()(fakeExchange({ ip: '2001:db8:1:2:a::1' }))).toBe('2001:db8:1:2::/64');
    expect(fromAddress(48)(fakeExchange({ ip: '2001:db8:1:2:a::1' }))).toBe('2001:db8:1::/48');
    expect(() => fromAddress(0)).toThrow(InvalidOptionError);
  });
});
