import type { RegistryContentType } from 'prom-client';
import { openMetrics, textFormat } from './exposition.ts';

interface Range {
  readonly type: string;
  readonly version: string | undefined;
  readonly q: number;
}

/**
 * The format that a client would rather have (RFC 9110, section 12.5.1), or `otherwise` if it does not care. There is no
 * 406: a scraper that asks for something else still reads the text format.
 */
export function preferred(accept: string | undefined, otherwise: RegistryContentType): RegistryContentType {
  if (accept === undefined) return otherwise;
  const ranges = accept.split(',').map(rangeOf);
  const text = weight(ranges, 'text/plain', ['0.0.4']);
  const open = weight(ranges, 'application/openmetrics-text', ['1.0.0', '0.0.1']);
  if (text === open) return otherwise;
  return open > text ? openMetrics : textFormat;
}

function rangeOf(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const parameter = (name: string): string | undefined =>
    parameters
      .find((each) => each.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .replaceAll('"', '');
  const q = Number(parameter('q') ?? 1);
  return { type, version: parameter('version'), q: q >= 0 && q <= 1 ? q : 0 };
}

/** How much a type is wanted: what names it most exactly counts, and of those what wants it most. */
function weight(ranges: readonly Range[], type: string, versions: readonly string[]): number {
  for (const exact of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const fitting = ranges.filter(
      (range) => range.type === exact && (range.version === undefined || versions.includes(range.version)),
    );
    if (fitting.length > 0) return Math.max(...fitting.map(({ q }) => q));
  }
  return 0;
}
