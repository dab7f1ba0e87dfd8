import type { Json } from '@weir/core';
import { hashBytes } from '../hash-key.ts';

/** Two lanes of murmur3 over JSON, which is unambiguous and the same everywhere. */
export function fingerprint(identity: Json): string {
  const text = JSON.stringify(identity);
  return [0, 1].map((seed) => (hashBytes(text, seed) >>> 0).toString(16).padStart(8, '0')).join('');
}
