import { componentName, text } from '@weir/core';

/** The name given in options, or `<kind>-<n>`. */
export const readName = (kind: string, { name }: { readonly name?: string }): string =>
  componentName(kind, name === undefined ? undefined : text(name, 'name'));
