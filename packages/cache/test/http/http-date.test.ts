import { expect, test } from 'vitest';
import { formatHttpDate, parseHttpDate } from '../../src/http/http-date.ts';

const now = Date.UTC(2026, 0, 15);
const august = Date.UTC(2050, 7, 18, 2, 1, 18);

test.each([
  ['Thu, 18 Aug 2050 02:01:18 GMT', august],
  ['THU, 18 AUG 2050 02:01:18 gmt', august],
  ['Thursday, 18-Aug-50 02:01:18 GMT', august],
  ['Thu Aug 18 02:01:18 2050', august],
  ['Thu Aug  8 02:01:18 2050', Date.UTC(2050, 7, 8, 2, 1, 18)],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 784_111_777_000],
  // 50 years ahead at most (RFC 9110, 5.6.7).
  ['Sunday, 06-Nov-76 08:49:37 GMT', Date.UTC(2076, 10, 6, 8, 49, 37)],
  ['Sunday, 06-Nov-77 08:49:37 GMT', Date.UTC(1977, 10, 6, 8, 49, 37)],
  ['Sun, 31 Dec 1995 23:59:60 GMT', Date.UTC(1996, 0, 1)],
  ['Sun, 21 Nov 2286 04:46:39 GMT', Date.UTC(2286, 10, 21, 4, 46, 39)],
])('%s is a date', (text, expected) => expect(parseHttpDate(text, now)).toBe(expected));

test.each([
  '',
  '0',
  '-1',
  '1799999999',
  'Thu, 18 Aug 2050 02:01:18 UTC',
  'Thu, 18 Aug 2050 02:01:18 AEST',
  'Thu, 18 Aug 2050 02:01:18 +0000',
  'Thu, 18 Aug 2050 02:01:18',
  'Thu, 18 Aug 50 02:01:18 GMT',
  'Thu 18 Aug 2050 02:01:18 GMT',
  'Thu, 18  Aug  2050 02:01:18 GMT',
  'Thu, 18-Aug-2050 02:01:18 GMT',
  'Thu, 18 Aug 2050 02.01.18 GMT',
  'Thu, 18 Aug 2050 2:01:18 GMT',
  'Thu, 18 Aug 2050 24:01:18 GMT',
  'Thu, 18 Aug 2050 02:60:18 GMT',
  'Thu, 18 Aug 2050 02:01:61 GMT',
  'Thu, 31 Jun 2050 02:01:18 GMT',
  'Thu, 00 Aug 2050 02:01:18 GMT',
  'Xyz, 18 Aug 2050 02:01:18 GMT',
  ' Thu, 18 Aug 2050 02:01:18 GMT',
  'Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT',
])('"%s" is none', (text) => expect(parseHttpDate(text, now)).toBeUndefined());

test('what is written can be read', () => {
  for (let day = 0; day < 4000; day += 1) {
    const epoch = day * 86_400_000 * 7 + day * 1000;
    expect(parseHttpDate(formatHttpDate(epoch), now)).toBe(epoch);
  }
});

test('the same date is read the same again, also after others', () => {
  const dates = [
    'Thu, 18 Aug 2050 02:01:18 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 32 Nov 1994 08:49:37 GMT',
  ];
  const once = dates.map((date) => parseHttpDate(date, now));
  expect(once).toEqual([august, 784_111_777_000, undefined]);
  expect(dates.flatMap((date) => [parseHttpDate(date, now), parseHttpDate(date, now)])).toEqual(
    once.flatMap((epoch) => [epoch, epoch]),
  );
});
