/** The id of a node as it came back: the text itself, an object's id, a bucket's number. */
export function idOf(node: unknown): string {
  return typeof node === 'object' && node !== null
    ? String((node as { readonly id?: unknown }).id)
    : String(node);
}
