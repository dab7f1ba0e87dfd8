import type { Exchange } from '@weir/core';
import { stripPrefix } from '@weir/proxy';
import type { RouteConfig } from '../config.ts';

type Rewrite = (target: string, x: Exchange) => string;

/** What the upstream is asked for, if it is not what came. */
export function rewriteOf({ stripPrefix: prefix, addPrefix, query }: RouteConfig): Rewrite | undefined {
  if (prefix === undefined && addPrefix === undefined && query === undefined) return undefined;
  const strip: Rewrite = prefix === undefined ? (target) => target : stripPrefix(prefix);
  const front = (addPrefix ?? '').replace(/\/$/, '');
  return (target, x) => {
    const moved = front + strip(target, x);
    return query === undefined ? moved : withQuery(moved, query);
  };
}

function withQuery(target: string, { set = {}, remove = [] }: NonNullable<RouteConfig['query']>): string {
  const start = target.indexOf('?');
  const parameters = new URLSearchParams(start === -1 ? '' : target.slice(start + 1));
  for (const name of remove) parameters.delete(name);
  for (const [name, value] of Object.entries(set)) parameters.set(name, value);
  const path = start === -1 ? target : target.slice(0, start);
  return parameters.size === 0 ? path : `${path}?${parameters}`;
}
