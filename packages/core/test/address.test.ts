import { describe, expect, test } from 'vitest';
import { addressGroup } from '../src/index.ts';

describe('addressGroup', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['unknown', 'unknown'],
    ['2001:db8:1:2:a:b:c:d', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8::/64'],
    ['::1', '::/64'],
    ['::', '::/64'],
    ['1::', '1::/64'],
    ['not:an:address', 'not:an:address'],
    ['1::2::3', '1::2::3'],
    ['1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8:9'],
    ['1:2:3:4::5:6:7:8', '1:2:3:4::5:6:7:8'],
  ])('%s counts as %s', (ip, group) => {
    expect(addressGroup(ip)).toBe(group);
  });

  test('two addresses of one network share a group, two networks do not', () => {
    expect(addressGroup('2001:db8:0:1::1')).toBe(addressGroup('2001:db8:0:1:ffff::2'));
    expect(addressGroup('2001:db8:0:1::1')).not.toBe(addressGroup('2001:db8:0:2::1'));
  });

  test.each([
    [48, '2001:db8:1::/48'],
    [56, '2001:db8:1:ab00::/56'],
    [60, '2001:db8:1:abc0::/60'],
    [128, '2001:db8:1:abcd::1'],
  ])('the prefix may be /%d', (prefix, group) => {
    expect(addressGroup('2001:db8:1:abcd::1', prefix)).toBe(group);
  });
});
