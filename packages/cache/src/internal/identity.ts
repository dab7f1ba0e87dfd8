import { CacheKeyError } from '../errors.ts';

// A namespace is a prefix. It begins with a mark that no stored key of a user begins with, and tells its own length, so
// that no two pairs of namespace and key make the same string:
//   \0 <length> : <name>   a namespace, of which there may be several
//   \0 \0 ...              a key or tag that begins with the mark itself
//   \0 *                   the tag that all entries of a namespace carry
const MARK = '\u0000';

/** Where a cache or one of its namespaces keeps its keys and tags. */
export interface Scope {
  readonly prefix: string;
  /** Prefixes of the namespaces around this one, and its own. None for the cache itself. */
  readonly path: readonly string[];
  /** The tags by which this namespace and those around it are cleared. */
  readonly clearing: readonly string[];
}

export const rootScope: Scope = { prefix: '', path: [], clearing: [] };

export function innerScope(outer: Scope, name: unknown): Scope {
  if (typeof name !== 'string') throw new CacheKeyError('the name of a namespace', name);
  const prefix = `${outer.prefix}${MARK}${name.length}:${name}`;
  return {
    prefix,
    path: [...outer.path, prefix],
    clearing: [...outer.clearing, `${prefix}${MARK}*`],
  };
}

/** The key under which a scope keeps `key`. */
export function keyIn(scope: Scope, key: unknown): string {
  if (typeof key !== 'string') throw new CacheKeyError('a key', key);
  return scope.prefix + escaped(key);
}

/** The tags of an entry of this scope: each one as the cache and as every namespace around the entry knows it. */
export function tagsIn(scope: Scope, tags: string | readonly string[]): string[] {
  const found: string[] = [];
  for (const tag of listed(tags)) {
    found.push(tag);
    for (const prefix of scope.path) found.push(prefix + tag);
  }
  return found;
}

/** The tags that an invalidation in this scope goes by. */
export function tagsOf(scope: Scope, tags: string | readonly string[]): string[] {
  return listed(tags).map((tag) => scope.prefix + tag);
}

function listed(tags: string | readonly string[]): string[] {
  return (typeof tags === 'string' ? [tags] : tags).map((tag) => {
    if (typeof tag !== 'string') throw new CacheKeyError('a tag', tag);
    return escaped(tag);
  });
}

const escaped = (name: string): string => (name.charCodeAt(0) === 0 ? MARK + name : name);
