import { describe, expect, test } from 'vitest';
import { entityKey, redisClient, script, slotOf } from '../src/index.ts';

describe('redisClient', () => {
  test.each([undefined, null, 5, {}, { status: 'ready' }, { isOpen: true }, () => {}])(
    'refuses %s, which is no client, and says what is one',
    (value) => {
      expect(() => redisClient(value)).toThrow(
        expect.objectContaining({
          code: 'ERR_WEIR_REDIS_CLIENT',
          message: expect.stringContaining('ioredis 5 or 6, or of redis (node-redis) 4 to 6'),
        }),
      );
    },
  );

  test('does not repeat the password of a URL', () => {
    expect(() => redisClient('redis://user:secret@host')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });

  test.each([{ timeout: 0 }, { failures: 0 }, { retryEvery: 'soon' }, { name: '' }, { tiemout: 5 }])(
    'refuses the options %o',
    (options) => {
      expect(() => redisClient({}, options as never)).toThrow(
        expect.objectContaining({ code: 'ERR_WEIR_INVALID_OPTION' }),
      );
    },
  );
});

describe('script', () => {
  test('is known by its SHA-1', () => {
    expect(script('return 1', { keys: 1, idempotent: true }).sha).toBe(
      'e0e1f9fabfc9d4800c877a703b823ac0578ff8db',
    );
  });

  test('refuses what is no script', () => {
    expect(() => script('', { keys: 1 })).toThrow('`source`');
    expect(() => script('return 1', { keys: 0 })).toThrow('`keys`');
    expect(() => script('return 1', {} as never)).toThrow('`keys`');
    expect(() => script('return 1', { keys: 1, other: 1 } as never)).toThrow('`other`');
  });
});

describe('keys', () => {
  // The example of the Cluster specification, and what CLUSTER KEYSLOT says.
  test.each([
    ['123456789', 12739],
    ['foo', 12182],
    ['{foo}bar', 12182],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['', 0],
  ])('%s lies in slot %i', (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  test('of one entity share a slot, tell their parts apart, and do not show them', () => {
    const key = entityKey('app:', 'login', '203.0.113.7');
    expect(key).toMatch(/^app:\{[\w-]{22}\}$/);
    expect(slotOf(`${key}:a`)).toBe(slotOf(`${key}:b`));
    const parts = [['a', 'b:c'], ['a:b', 'c'], ['a', 'b', 'c'], ['a","b', 'c'], ['\ud800'], ['\ud801']];
    expect(new Set(parts.map((each) => entityKey('', ...each))).size).toBe(parts.length);
  });
});
