import { WeirError } from '@weir/core';

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;
const value = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Header fields that can be changed. Names may be given in any case; repeated fields are kept in order. */
export class HeaderFields implements Iterable<readonly [name: string, value: string]> {
  readonly #pairs: string[];

  /** @param pairs name, value, name, value; names in lower case. It is this list that changes. */
  constructor(pairs: string[]) {
    this.#pairs = pairs;
  }

  /** The value of the first such field. */
  get(name: string): string | undefined {
    const at = this.#find(name.toLowerCase(), 0);
    return at === -1 ? undefined : this.#pairs[at + 1];
  }

  /** Puts one field in the place of all such fields. @throws WeirError `ERR_WEIR_INVALID_HEADER` */
  set(name: string, value: string): void {
    checkField(name, value);
    this.delete(name);
    this.#pairs.push(name.toLowerCase(), value);
  }

  /** Adds a field beside those that are there. @throws WeirError `ERR_WEIR_INVALID_HEADER` */
  append(name: string, value: string): void {
    checkField(name, value);
    this.#pairs.push(name.toLowerCase(), value);
  }

  /** Takes all such fields away. */
  delete(name: string): void {
    const lower = name.toLowerCase();
    for (let at = this.#find(lower, 0); at !== -1; at = this.#find(lower, at)) this.#pairs.splice(at, 2);
  }

  *[Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    for (let i = 0; i < this.#pairs.length; i += 2) {
      yield [this.#pairs[i] as string, this.#pairs[i + 1] as string];
    }
  }

  #find(lower: string, from: number): number {
    for (let i = from; i < this.#pairs.length; i += 2) if (this.#pairs[i] === lower) return i;
    return -1;
  }
}

/** Whether a name or a value could not stand in a head, or would end it early (CR, LF, NUL). */
export function isBadField(name: unknown, text: unknown): boolean {
  return typeof name !== 'string' || !token.test(name) || typeof text !== 'string' || !value.test(text);
}

function checkField(name: string, text: string): void {
  if (isBadField(name, text)) {
    // Not the value itself: it may be a secret.
    throw new WeirError(
      'ERR_WEIR_INVALID_HEADER',
      `header \`${name}\` has a name or value that HTTP forbids`,
    );
  }
}
