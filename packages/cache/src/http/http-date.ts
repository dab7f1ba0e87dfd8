const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const day = '(?:mon|tue|wed|thu|fri|sat|sun)';
const month = `(${months.join('|')})`;
const time = '(\\d\\d):(\\d\\d):(\\d\\d)';
const fixdate = new RegExp(`^${day}, (\\d\\d) ${month} (\\d{4}) ${time} gmt$`, 'i');
const rfc850 = new RegExp(
  `^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\\d\\d)-${month}-(\\d\\d) ${time} gmt$`,
  'i',
);
const asctime = new RegExp(`^${day} ${month} ([ \\d]\\d) ${time} (\\d{4})$`, 'i');

/** The responses of a second have the same date. */
let lastFixed: { readonly value: string; readonly epoch: number | undefined } = {
  value: '',
  epoch: undefined,
};

/**
 * Reads a date in one of the three forms of RFC 9110, 5.6.7, in any case; the day of the week is not compared.
 *
 * @param now ms since 1970, by which a year of two digits is placed: never more than 50 years ahead
 * @returns ms since 1970, or undefined if it is not such a date
 */
export function parseHttpDate(value: string, now: number): number | undefined {
  if (value === lastFixed.value) return lastFixed.epoch;
  const fixed = fixdate.exec(value);
  if (fixed !== null) {
    const [, date, name, year, hours, minutes, seconds] = fixed;
    const epoch = epochOf(year, name, date, hours, minutes, seconds);
    lastFixed = { value, epoch };
    return epoch;
  }
  const old = rfc850.exec(value);
  if (old !== null) {
    const [, date, name, short, hours, minutes, seconds] = old;
    const thisYear = new Date(now).getUTCFullYear();
    let year = thisYear - (thisYear % 100) + Number(short);
    if (year > thisYear + 50) year -= 100;
    return epochOf(year, name, date, hours, minutes, seconds);
  }
  const ansi = asctime.exec(value);
  if (ansi === null) return undefined;
  const [, name, date, hours, minutes, seconds, year] = ansi;
  return epochOf(year, name, date, hours, minutes, seconds);
}

/** A date as servers must write it: IMF-fixdate. */
export function formatHttpDate(epoch: number): string {
  return new Date(epoch).toUTCString();
}

function epochOf(year: unknown, name: unknown, ...rest: unknown[]): number | undefined {
  const [date, hours, minutes, seconds] = rest.map(Number) as [number, number, number, number];
  const monthIndex = months.indexOf(String(name).toLowerCase());
  // A leap second is allowed, and Date.UTC would carry anything else over.
  if (date < 1 || date > 31 || hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const epoch = Date.UTC(Number(year), monthIndex, date, hours, minutes, seconds);
  return new Date(epoch - seconds * 1000).getUTCDate() === date ? epoch : undefined;
}
