/** Freezes a value and all that it reaches through plain properties. Getters are not called. */
export function deepFreeze(value: unknown): void {
  const seen = new Set<object>();
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const each = pending.pop();
    if (typeof each !== 'object' || each === null || seen.has(each)) continue;
    seen.add(each);
    // Views of memory cannot be frozen; the attempt throws.
    if (ArrayBuffer.isView(each)) continue;
    Object.freeze(each);
    for (const key of Reflect.ownKeys(each)) pending.push(Object.getOwnPropertyDescriptor(each, key)?.value);
  }
}
