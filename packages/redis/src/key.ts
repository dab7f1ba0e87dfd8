import { crc16 } from './internal/crc16.ts';
import { digest } from './internal/digest.ts';

/**
 * A name for keys of one entity: `<prefix>{<hash of the parts>}`. What is appended to it lies in the same slot of a
 * Cluster. The parts may hold anything: they are told apart, and cannot be read in traces, logs or `KEYS`. (Who knows
 * all possible parts, such as addresses, can still try them.) About 2 us.
 *
 * @example
 * const base = entityKey('app:', 'limiter', userId);
 * await client.run(script, [`${base}:count`, `${base}:block`], []);
 */
export function entityKey(prefix: string, ...parts: readonly string[]): string {
  return `${prefix}{${digest(JSON.stringify(parts))}}`;
}

/** The slot of a key in a Redis Cluster, 0 to 16383: of its hash tag, or of all of it. (Cluster specification, "Hash tags".) */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return crc16(close > open + 1 ? key.slice(open + 1, close) : key) & 16383;
}
