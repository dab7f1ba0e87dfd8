/** Bytes of a body, the last one included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The one part of a body that a request wants (RFC 9110, 14.1.2).
 *
 * @returns 'whole' if the field is to be ignored: another unit, no valid syntax, or several parts, which a server need
 *   not send; 'unsatisfiable' if the part begins behind the end.
 */
export function byteRange(value: string, length: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = /^bytes=[\t ]*(\d*)-(\d*)[\t ]*$/i.exec(value);
  if (match === null) return 'whole';
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return 'whole';
    const count = Number(to);
    if (count === 0 || length === 0) return 'unsatisfiable';
    return { first: Math.max(0, length - count), last: length - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return 'whole';
  if (first >= length) return 'unsatisfiable';
  return { first, last: to === '' ? length - 1 : Math.min(Number(to), length - 1) };
}
