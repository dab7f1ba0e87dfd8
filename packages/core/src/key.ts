declare const held: unique symbol;

/** A typed slot on an {@link Exchange}: a symbol that remembers what it holds. */
export type Key<T> = symbol & { readonly [held]: (value: T) => T };

/**
 * Makes a slot for values that one policy hands to handlers and later policies.
 * Each call makes a new one; export it once, beside the policy that sets it.
 *
 * @example
 * const tenantKey = createKey<Tenant>('app:tenant');
 * x.set(tenantKey, tenant);
 */
export function createKey<T>(name: string): Key<T> {
  return Symbol(name) as Key<T>;
}
