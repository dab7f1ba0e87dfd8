/** A bare item of RFC 9651. Tokens, dates and the rarer types are told apart from strings by their `type`. */
export type BareItem =
  | { readonly type: 'integer' | 'decimal' | 'date'; readonly value: number }
  | { readonly type: 'string' | 'token' | 'bytes' | 'display'; readonly value: string }
  | { readonly type: 'boolean'; readonly value: boolean };

/** A member of a list or a dictionary: an item, or an inner list of items. Parameters are read and dropped. */
export type Member = BareItem | { readonly type: 'list'; readonly value: readonly BareItem[] };

const failed = Symbol('not a structured field');

/**
 * Reads a Dictionary (RFC 9651, 4.2.2). Of a key that comes twice the last one counts.
 *
 * @returns undefined if the field is not a dictionary; parsing is strict, as it must be.
 */
export function parseDictionary(field: string): Map<string, Member> | undefined {
  return attempt(field, (reader) => {
    const members = new Map<string, Member>();
    reader.members(() => {
      const key = reader.key();
      if (reader.take('=')) members.set(key, reader.member());
      else {
        reader.parameters();
        members.set(key, { type: 'boolean', value: true });
      }
    });
    return members;
  });
}

/** Reads a List (RFC 9651, 4.2.1); undefined if the field is not one. */
export function parseList(field: string): Member[] | undefined {
  return attempt(field, (reader) => {
    const members: Member[] = [];
    reader.members(() => members.push(reader.member()));
    return members;
  });
}

function attempt<T>(field: string, read: (reader: Reader) => T): T | undefined {
  try {
    return read(new Reader(field));
  } catch (error) {
    if (error === failed) return undefined;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text.replace(/^ +| +$/g, '');
  }

  /** The members of a list or a dictionary with the commas between them. */
  members(read: () => void): void {
    while (this.#at < this.#text.length) {
      read();
      this.#match(/[ \t]*/y);
      if (this.#at === this.#text.length) return;
      if (!this.take(',')) throw failed;
      this.#match(/[ \t]*/y);
      // A trailing comma is an error.
      if (this.#at === this.#text.length) throw failed;
    }
  }

  member(): Member {
    if (!this.take('(')) return this.#item();
    const items: BareItem[] = [];
    for (;;) {
      this.#match(/ */y);
      if (this.take(')')) break;
      items.push(this.#item());
      if (!/[ )]/.test(this.#text.charAt(this.#at))) throw failed;
    }
    this.parameters();
    return { type: 'list', value: items };
  }

  key(): string {
    return this.#match(/[a-z*][a-z\d_\-.*]*/y) ?? fail();
  }

  parameters(): void {
    while (this.take(';')) {
      this.#match(/ */y);
      this.key();
      if (this.take('=')) this.#bareItem();
    }
  }

  take(char: string): boolean {
    if (this.#text.charAt(this.#at) !== char) return false;
    this.#at += 1;
    return true;
  }

  #item(): BareItem {
    const item = this.#bareItem();
    this.parameters();
    return item;
  }

  #bareItem(): BareItem {
    const number = this.#match(/-?\d+(?:\.\d*)?/y);
    if (number !== undefined) return numberOf(number);
    const quoted = this.#match(/"(?:[ !#-[\]-~]|\\["\\])*"/y);
    if (quoted !== undefined) return { type: 'string', value: quoted.slice(1, -1).replace(/\\(.)/g, '$1') };
    const token = this.#match(/[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*/y);
    if (token !== undefined) return { type: 'token', value: token };
    const boolean = this.#match(/\?[01]/y);
    if (boolean !== undefined) return { type: 'boolean', value: boolean === '?1' };
    const bytes = this.#match(/:[A-Za-z\d+/=]*:/y);
    if (bytes !== undefined) return { type: 'bytes', value: bytes.slice(1, -1) };
    const date = this.#match(/@-?\d{1,15}(?![\d.])/y);
    if (date !== undefined) return { type: 'date', value: Number(date.slice(1)) };
    const display = this.#match(/%"(?:[ !#-$&-~]|%[\da-f]{2})*"/y);
    if (display !== undefined) return { type: 'display', value: display.slice(2, -1) };
    throw failed;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

function numberOf(text: string): BareItem {
  const [whole = '', rest] = text.replace('-', '').split('.');
  if (rest === undefined) return whole.length <= 15 ? { type: 'integer', value: Number(text) } : fail();
  if (whole.length > 12 || rest.length < 1 || rest.length > 3) throw failed;
  return { type: 'decimal', value: Number(text) };
}

function fail(): never {
  throw failed;
}
