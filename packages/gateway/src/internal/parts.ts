import type { Component } from '@weir/core';

interface Part {
  readonly config: string;
  readonly made: unknown;
  readonly close: () => unknown;
}

/**
 * The long-lived parts of a gateway by what they were made from. A reload keeps those whose configuration is as it was:
 * limits go on counting, breakers keep their state, connections stay open.
 */
export class Parts {
  readonly #parts = new Map<string, Part>();
  readonly #before: ReadonlyMap<string, Part>;

  constructor(before?: Parts) {
    this.#before = before === undefined ? new Map() : before.#parts;
  }

  get<T extends object>(id: string, config: unknown, make: () => T): T {
    const text = JSON.stringify(config);
    const own = this.#parts.get(id);
    if (own !== undefined) return own.made as T;
    const kept = this.#before.get(id);
    const part: Part = kept !== undefined && kept.config === text ? kept : fresh(text, make());
    this.#parts.set(id, part);
    return part.made as T;
  }

  get components(): readonly Component[] {
    return [...this.#parts.values()].map(({ made }) => made).filter(isComponent);
  }

  /** Closes, last made first, what `next` does not go on using. */
  async close(next?: Parts): Promise<void> {
    const kept = new Set(next === undefined ? [] : [...next.#parts.values()].map(({ made }) => made));
    for (const part of [...this.#parts.values()].reverse()) if (!kept.has(part.made)) await part.close();
  }
}

function fresh(config: string, made: object): Part {
  const { close } = made as { close?: (options: object) => unknown };
  // All has been waited for by now; what is still open is cut.
  return {
    config,
    made,
    close: typeof close === 'function' ? () => close.call(made, { within: 1 }) : () => {},
  };
}

function isComponent(made: unknown): made is Component {
  return typeof (made as Partial<Component>).snapshot === 'function';
}
