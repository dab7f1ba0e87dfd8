import { InvalidOptionError, text } from '@weir/core';
import type { Member } from '../topology.ts';

/** Reads one node. @throws InvalidOptionError if it has no id or a weight that is none. */
export function readNode<T>(node: T, option = 'node'): Member<T> {
  if (typeof node === 'string') return { id: text(node, option), weight: 1, node };
  if (typeof node !== 'object' || node === null) {
    throw new InvalidOptionError(option, 'a string or an object with an id', node);
  }
  const { id, weight = 1 } = node as { readonly id?: unknown; readonly weight?: unknown };
  if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity)) {
    throw new InvalidOptionError(`${option}.weight`, 'a finite number >= 0', weight);
  }
  return { id: text(id, `${option}.id`), weight, node };
}

/** Reads a list of nodes, in the order given. @throws InvalidOptionError also if two share an id. */
export function readNodes<T>(nodes: readonly T[]): Member<T>[] {
  if (!Array.isArray(nodes)) throw new InvalidOptionError('nodes', 'an array', nodes);
  const members = nodes.map((node, i) => readNode(node as T, `nodes[${i}]`));
  const ids = new Set<string>();
  for (const { id } of members) {
    if (ids.has(id)) throw idTaken(id);
    ids.add(id);
  }
  return members;
}

/** The list with one node more. @throws InvalidOptionError if its id is taken. */
export function append<T>(members: readonly Member<T>[], node: T): Member<T>[] {
  const member = readNode(node);
  if (members.some(({ id }) => id === member.id)) throw idTaken(member.id);
  return [...members, member];
}

export function idTaken(id: string): InvalidOptionError {
  return new InvalidOptionError('node.id', 'one that no other node has', id);
}

/** By ascending id in UTF-16 order: the same everywhere, whatever the locale. */
export function byId<T>(members: readonly Member<T>[]): Member<T>[] {
  return members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
