import { bytesOf, type HashKey } from '../hash-key.ts';

/** The bytes of a key: one object, reused by each call, so that a short ASCII key costs no allocation. */
export interface Encoded {
  /** Longer than the key, or the caller's own: read-only. */
  bytes: Uint8Array;
  length: number;
}

const scratch: Uint8Array = /* @__PURE__ */ new Uint8Array(1024);
const encoded: Encoded = { bytes: scratch, length: 0 };

/** What `bytesOf` gives, in the scratch where it can. */
export function encode(key: HashKey): Encoded {
  encoded.length = typeof key === 'string' ? ascii(key) : -1;
  encoded.bytes = scratch;
  if (encoded.length === -1) {
    encoded.bytes = bytesOf(key);
    encoded.length = encoded.bytes.length;
  }
  return encoded;
}

/** Writes the text into the scratch and returns its length; -1 if it is too long or not ASCII. */
function ascii(text: string): number {
  const { length } = text;
  if (length > scratch.length) return -1;
  for (let i = 0; i < length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 127) return -1;
    scratch[i] = code;
  }
  return length;
}
