import { describe, expect, test } from 'vitest';
import { parseCacheControl, parseTargeted, responseDirectives } from '../../src/http/directives.ts';

describe('Cache-Control (RFC 9111, 5.2)', () => {
  test('is read right however many others were read before', () => {
    for (let i = 0; i < 500; i += 1) expect(parseCacheControl(`max-age=${i % 250}`).maxAge).toBe(i % 250);
    expect(parseCacheControl(`max-age=7, ${'x'.repeat(1_000)}`).maxAge).toBe(7);
  });

  test.each([
    ['max-age=60', 60],
    ['MaX-aGe=60', 60],
    ['max-age="60"', 60],
    ['max-age=0060', 60],
    ['foo, max-age=60', 60],
    ['foo=bar,max-age=60,', 60],
    [',, max-age=60', 60],
    ['max-age=60 , public', 60],
    ['max-age=2147483648', 2_147_483_648],
    ['max-age=99999999999', 2_147_483_648],
    // Of two the first counts (4.2.1).
    ['max-age=1, max-age=60', 1],
    ['max-age=60, max-age=1', 60],
    // A directive that cannot be read makes the response stale.
    ['max-age', 0],
    ['max-age=', 0],
    ['max-age=-60', 0],
    ['max-age=60.0', 0],
    ['max-age=60a', 0],
    ['max-age=a60', 0],
    ["max-age='60'", 0],
    // Not a directive at all.
    ['max-age =60', undefined],
    ['x="max-age=60"', undefined],
    ['x="a, max-age=60, b"', undefined],
    ['x="\\", max-age=60"', undefined],
    ['x="max-age=60', undefined],
    ['x="max-age=100", max-age=60', 60],
    ['max-age=60, x="max-age=100"', 60],
    ['x="max-age=100", max-age="60"', 60],
    ['((((, max-age=60', 60],
    ['"quoted, max-age=1", max-age=60', 60],
  ])('%s', (text, expected) => expect(parseCacheControl(text).maxAge).toBe(expected));

  test('with a space behind the equals sign a lifetime cannot be read', () =>
    expect(parseCacheControl('max-age= 60').maxAge ?? 0).toBe(0));

  test.each([
    ['no-cache', true, []],
    ['no-cache="A, b"', false, ['a', 'b']],
    ['no-cache="a", no-cache', true, ['a']],
    ['no-cache, no-cache="a"', true, ['a']],
    ['no-cache=a', false, ['a']],
    ['x="no-cache"', false, []],
  ])('%s', (text, noCache, heldBack) => expect(parseCacheControl(text)).toMatchObject({ noCache, heldBack }));

  test('all the words', () => {
    const words =
      'no-store, public, private, must-revalidate, proxy-revalidate, must-understand, only-if-cached';
    const numbers = 's-maxage=1, stale-while-revalidate=2, stale-if-error=3, min-fresh=4, max-stale=5';
    expect(parseCacheControl(`${words}, ${numbers}`)).toMatchObject({
      ...{ noStore: true, public: true, private: true, mustRevalidate: true, proxyRevalidate: true },
      ...{ mustUnderstand: true, onlyIfCached: true, sMaxage: 1, staleWhileRevalidate: 2, staleIfError: 3 },
      ...{ minFresh: 4, maxStale: 5 },
    });
    expect(parseCacheControl('max-stale').maxStale).toBe(2_147_483_648);
    expect(parseCacheControl('stale-if-error=x').staleIfError).toBeUndefined();
  });

  test('hostile values are read in no time', () => {
    for (const text of [',', '"', '\\', '=', 'a="', 'a ', 'a=', '"\\'])
      expect(parseCacheControl(text.repeat(60_000)).noStore).toBe(false);
  });
});

describe('targeted fields (RFC 9213)', () => {
  test('a dictionary of directives', () =>
    expect(
      parseTargeted('max-age=60, no-store, private="a", no-cache, stale-if-error=5, new=(a b)'),
    ).toMatchObject({
      maxAge: 60,
      noStore: true,
      private: false,
      heldBack: ['a'],
      noCache: true,
      staleIfError: 5,
    }));

  test.each([
    '',
    ' ',
    'max-age=60, &&',
    'max-age="60"',
    'max-age=60.0',
    'max-age=a',
    'max-age',
    'MAX-AGE=60',
  ])('"%s" counts as absent', (text) => expect(parseTargeted(text)).toBeUndefined());

  test('a directive that is ?0 is none, and a negative lifetime is over', () => {
    expect(parseTargeted('no-store=?0, max-age=-5')).toMatchObject({ noStore: false, maxAge: 0 });
  });

  test('the first one that is there and valid goes before Cache-Control', () => {
    const targets = ['x-first', 'cdn-cache-control'];
    const headers = ['cache-control', 'max-age=1', 'cdn-cache-control', 'max-age=2'];
    expect(responseDirectives(headers, targets)).toMatchObject({ directives: { maxAge: 2 }, targeted: true });
    expect(responseDirectives([...headers, 'x-first', 'max-age=3'], targets).directives.maxAge).toBe(3);
    expect(responseDirectives([...headers, 'x-first', '!'], targets).directives.maxAge).toBe(2);
    expect(responseDirectives(headers, [])).toMatchObject({ directives: { maxAge: 1 }, targeted: false });
    expect(responseDirectives([], targets)).toMatchObject({ directives: { maxAge: undefined } });
  });
});
