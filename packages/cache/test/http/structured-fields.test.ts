import { describe, expect, test } from 'vitest';
import { parseDictionary, parseList } from '../../src/http/structured-fields.ts';

const dictionary = (text: string) => {
  const members = parseDictionary(text);
  return members && Object.fromEntries([...members].map(([key, { value }]) => [key, value]));
};

describe('dictionaries (RFC 9651, 3.2)', () => {
  test.each([
    ['', {}],
    ['   ', {}],
    ['a', { a: true }],
    ['a=?0, b, c;x=1', { a: false, b: true, c: true }],
    ['max-age=60,  no-store', { 'max-age': 60, 'no-store': true }],
    ['a=1\t,\tb=2', { a: 1, b: 2 }],
    ['a=1, a=2', { a: 2 }],
    ['a=-12.5, b="x \\" \\\\ y", c=tok/en:*', { a: -12.5, b: 'x " \\ y', c: 'tok/en:*' }],
    ['a=:aGk=:, b=@1659578233, c=%"f%c3%bc"', { a: 'aGk=', b: 1659578233, c: 'f%c3%bc' }],
    ['*a_.-*=1', { '*a_.-*': 1 }],
    ['a=999999999999999', { a: 999_999_999_999_999 }],
    ['a=1;p;q="x";r=2.0', { a: 1 }],
  ])('%s', (text, expected) => expect(dictionary(text)).toEqual(expected));

  test('inner lists', () =>
    expect(parseDictionary('a=("x" y;p 1), b=()')?.get('a')).toEqual({
      type: 'list',
      value: [
        { type: 'string', value: 'x' },
        { type: 'token', value: 'y' },
        { type: 'integer', value: 1 },
      ],
    }));

  test.each([
    ...[
      'a,',
      'a=1,',
      ',a',
      'a b',
      'a=1 b=2',
      'A=1',
      'MaX-aGe=1',
      '1a=1',
      'a= 1',
      'a =1',
      'a=',
      'a=1,,b=2',
      '&&&',
    ],
    ...[
      'max-age=10000, &&&&&',
      'a=1.',
      'a=1.2345',
      'a=1234567890123.1',
      'a=1000000000000000',
      'a="x',
      'a="\\x"',
    ],
    ...[
      'a="\u00fc"',
      'a=:!:',
      'a=@1.5',
      'a=?2',
      'a=("x""y")',
      'a=("x"',
      'a;=1',
      'a;P',
      'a=%"F%C3"',
      "a='1'",
      'a=1\n',
    ],
  ])('%s is none', (text) => expect(parseDictionary(text)).toBeUndefined());
});

describe('lists (RFC 9651, 3.1)', () => {
  test('of strings', () =>
    expect(parseList('"a", "b, c";x=1,\t"d"')).toEqual(
      ['a', 'b, c', 'd'].map((value) => ({ type: 'string', value })),
    ));
  test('many and long ones', () => {
    const names = Array.from({ length: 200 }, (_, i) => `${i}-${'x'.repeat(40)}`);
    expect(parseList(names.map((name) => `"${name}"`).join(', '))?.map(({ value }) => value)).toEqual(names);
  });
  test.each(['"a" "b"', '"a" ;x', '"a",', '"a"\n', ';a', '"a\u0007"'])('%j is none', (text) =>
    expect(parseList(text)).toBeUndefined(),
  );
  test('nothing that comes from outside takes long or throws', () => {
    for (const text of [
      '"'.repeat(50_000),
      '\\'.repeat(50_000),
      `"${'\\'.repeat(50_000)}`,
      '('.repeat(50_000),
    ])
      expect(parseList(text)).toBeUndefined();
  });
});
