const SLOT = 8;
const OBJECT = 16;
/** What an entry costs beside its key and value: slots of the LRU, the entry itself, its promise gone. */
const ENTRY = 200;
/** Longer keys count, whoever measures the values: a flood of them must not get around `maxBytes`. */
const LONG_KEY = 256;

/** The size of an entry by the user's measure. */
export function measured(
  sizeOf: (value: unknown, key: string) => number,
  value: unknown,
  key: string,
): number {
  const size = Number(sizeOf(value, key));
  if (!(size >= 0)) throw new RangeError('sizeOf must give a number of at least 0');
  return Math.max(1, Math.ceil(size)) + (key.length > LONG_KEY ? key.length : 0);
}

/** About as many bytes as an entry takes on the heap. Time and memory in proportion to the value. */
export function estimated(value: unknown, key: string): number {
  let bytes = ENTRY + key.length;
  const seen = new Set<object>();
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const each = pending.pop();
    if (typeof each === 'string') bytes += OBJECT + each.length;
    else if (typeof each !== 'object' || each === null) bytes += SLOT;
    else if (!seen.has(each)) {
      seen.add(each);
      bytes += OBJECT + ownBytes(each, pending);
    }
  }
  return bytes;
}

/** The bytes of an object itself; what it holds is pushed to `pending`. */
function ownBytes(object: object, pending: unknown[]): number {
  if (ArrayBuffer.isView(object) || object instanceof ArrayBuffer) return object.byteLength;
  if (object instanceof Map) {
    for (const [key, value] of object) pending.push(key, value);
    return object.size * SLOT;
  }
  if (Array.isArray(object) || object instanceof Set) {
    for (const value of object) pending.push(value);
    return (Array.isArray(object) ? object.length : object.size) * SLOT;
  }
  const keys = Reflect.ownKeys(object);
  for (const key of keys) pending.push(Object.getOwnPropertyDescriptor(object, key)?.value);
  return keys.length * SLOT;
}
