import { InvalidOptionError } from '@weir/core';

/**
 * Takes a prefix off the path, for `rewrite`. Whole segments only: with '/api', `/api/users?x` becomes `/users?x` and
 * `/api` becomes `/`, while `/apis` and any path outside stay as they are.
 *
 * @throws InvalidOptionError if the prefix does not begin with a slash, or ends with one.
 *
 * @example
 * proxy(pool, { rewrite: stripPrefix('/api') });
 */
export function stripPrefix(prefix: string): (target: string) => string {
  if (typeof prefix !== 'string' || !/^(?:\/[^/?#]+)+$/.test(prefix)) {
    throw new InvalidOptionError('prefix', "a path such as '/api'", prefix);
  }
  const { length } = prefix;
  return (target) => {
    if (!target.startsWith(prefix)) return target;
    if (target.length === length) return '/';
    const next = target[length];
    if (next === '/') return target.slice(length);
    return next === '?' ? `/${target.slice(length)}` : target;
  };
}
