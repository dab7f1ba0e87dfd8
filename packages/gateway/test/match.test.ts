import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPlainPath } from '../src/internal/match.ts';

/** Word by word what is meant: no segment says "here" or "up", however it is written. */
function naive(path: string): boolean {
  if (!path.startsWith('/')) return path === '*';
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return false;
  }
  const segments = decoded.split(/[/\\]/).map((segment) => segment.split(';', 1)[0] as string);
  return !decoded.includes('\0') && !segments.some((segment) => segment === '.' || segment === '..');
}

test('property: a path is plain if none of its segments leads elsewhere', () => {
  const piece = fc.constantFrom(
    '/',
    '/',
    '.',
    '..',
    'a',
    'b.c',
    '~',
    ';',
    '\\',
    '%2e',
    '%2F',
    '%5c',
    '%',
    '%00',
    '*',
    'é',
  );
  const path = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(
      fc.oneof(
        path,
        path.map((text) => `/${text}`),
      ),
      (text) => {
        expect(isPlainPath(text)).toBe(naive(text));
      },
    ),
    { numRuns: 2_000 },
  );
});
