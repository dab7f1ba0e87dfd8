import type { Pairs } from '@weir/core';
import { originOf } from './cache-key.ts';
import { field } from './fields.ts';
import { parseList } from './structured-fields.ts';

/**
 * The groups of a response, `Cache-Groups`, or those that a response to an unsafe request invalidates,
 * `Cache-Group-Invalidation` (RFC 9875), as tags. A group is one of an origin: the same name elsewhere is another one.
 */
export function groupTags(
  headers: Pairs,
  name: 'cache-groups' | 'cache-group-invalidation',
  key: string,
): string[] {
  const value = field(headers, name);
  if (value === undefined) return [];
  const members = parseList(value) ?? [];
  const origin = originOf(key);
  return members.flatMap((member) => (member.type === 'string' ? [groupTag(origin, member.value)] : []));
}

/** A group as a tag. No tag that a user gives has a line break in it, so that the two do not meet. */
export function groupTag(origin: string, group: string): string {
  return `${origin}\n${group}`;
}

export function isGroupTag(tag: string): boolean {
  return tag.includes('\n');
}
