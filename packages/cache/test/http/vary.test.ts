import { describe, expect, test } from 'vitest';
import { selectionNames, selectionValues } from '../../src/http/vary.ts';
import { stage } from './stage.ts';

const values = (name: string, value: string | undefined): string =>
  selectionValues([name], { header: () => value });

describe('selecting headers are compared without differences that mean nothing (RFC 9111, 4.1)', () => {
  test.each([
    ['x', '1, 2', '1,2', true],
    ['x', '1, 2', ' 1 ,\t2 ', true],
    ['x', '1,, 2,', '1, 2', true],
    ['x', '1, 2', '2, 1', false],
    ['x', 'a', 'A', false],
    ['x', '"1, 2"', '"1,2"', false],
    ['x', '', undefined, false],
    ['x', undefined, undefined, true],
    ['accept-language', 'en, de', 'de,EN', true],
    ['accept-language', 'en;q=1.0, de', 'de, en', true],
    ['accept-language', 'en, de;q=0.5', 'en;q=0.5, de', false],
    ['accept-language', 'en ; q=0.5', 'en;q=0.5', true],
    ['accept-encoding', 'gzip, br', 'br, gzip', true],
    ['accept-encoding', 'gzip', 'br', false],
  ])('%s: %j and %j', (name, one, other, same) => {
    expect(values(name, one) === values(name, other)).toBe(same);
  });

  test('two headers are not one', () => {
    const from = (a: string | undefined, b: string | undefined) =>
      selectionValues(['a', 'b'], { header: (name) => (name === 'a' ? a : b) });
    expect(from('1', undefined)).not.toBe(from(undefined, '1'));
    expect(from('1', '')).not.toBe(from('', '1'));
  });

  test('the names are those of all lines, in one order and case', () => {
    expect(selectionNames(['vary', 'B, a', 'vary', ', A,c'])).toEqual(['a', 'b', 'c']);
    expect(selectionNames([])).toEqual([]);
  });
});

describe('variants', () => {
  const varying = (vary: string | string[]) =>
    stage(({ headers }, _stage, count) => ({
      headers: { 'cache-control': 'max-age=60', vary },
      body: `${count} ${headers['x-a'] ?? '-'} ${headers['x-b'] ?? '-'}`,
    }));

  test('each is kept, and each request gets its own', async () => {
    await using made = await varying('X-A');
    expect((await made.get({ 'x-a': '1' })).body).toBe('1 1 -');
    const other = await made.get({ 'x-a': '2' });
    expect(other.body).toBe('2 2 -');
    expect(other.headers['cache-status']).toBe('weir; fwd=vary-miss; fwd-status=200; stored');
    expect((await made.get()).body).toBe('3 - -');
    expect((await made.get({ 'x-a': '1', 'x-b': 'any' })).body).toBe('1 1 -');
    expect((await made.get({ 'x-a': '2' })).body).toBe('2 2 -');
    expect((await made.get()).body).toBe('3 - -');
    expect(made.seen).toHaveLength(3);
  });

  test('by several headers, on several lines, in any order', async () => {
    await using made = await varying(['X-B', 'x-a']);
    await made.get({ 'x-a': '1', 'x-b': '2' });
    await made.get({ 'x-b': '2', 'x-a': '1' });
    expect(made.seen).toHaveLength(1);
    await made.get({ 'x-a': '1' });
    await made.get({ 'x-a': '2', 'x-b': '2' });
    expect(made.seen).toHaveLength(3);
  });

  test.each([['*'], ['*, *'], [', *'], ['x-a, *'], [['*', '*']], [['', '*']], [['x-a', '*']]])(
    'Vary: %j is never reused',
    async (vary) => {
      await using made = await varying(vary);
      await made.get({ 'x-a': '1' });
      await made.get({ 'x-a': '1' });
      expect(made.seen).toHaveLength(2);
    },
  );

  test('of several that fit the newest is used', async () => {
    let vary = 'x-a';
    await using made = await stage((_request, _stage, count) => ({
      headers: { 'cache-control': 'max-age=60', vary },
      body: `${count}`,
    }));
    await made.get({ 'x-a': '1' });
    vary = 'x-b';
    await made.get({ 'x-a': '2' });
    expect((await made.get({ 'x-a': '1' })).body).toBe('2');
  });

  test('there are only so many for one URL', async () => {
    const script = { headers: { 'cache-control': 'max-age=60', vary: 'x-a' } };
    await using made = await stage(script, { maxVariants: 3 });
    for (let i = 0; i < 50; i += 1) await made.get({ 'x-a': `${i}` });
    expect(made.cache.snapshot().entries).toBe(3);
    await made.get({ 'x-a': '49' });
    expect(made.seen).toHaveLength(50);
  });

  test('an encoded response goes only to clients that ask for it in the same way, even without Vary', async () => {
    await using made = await stage(({ headers }) =>
      headers['accept-encoding']?.includes('gzip')
        ? { headers: { 'cache-control': 'max-age=60', 'content-encoding': 'gzip' }, body: 'zipped' }
        : { headers: { 'cache-control': 'max-age=60' }, body: 'plain' },
    );
    expect((await made.get({ 'accept-encoding': 'gzip, br' })).body).toBe('zipped');
    expect((await made.get({ 'accept-encoding': 'br,gzip' })).body).toBe('zipped');
    expect(made.seen).toHaveLength(1);
    expect((await made.get()).body).toBe('plain');
  });
});
