/** A strict parser of RFC 9651 Lists of Items with parameters, as far as rate limit headers use them. */
export interface Item {
  readonly value: string | number | boolean;
  readonly parameters: { readonly [name: string]: string | number | boolean };
}

export function parseList(field: string): Item[] {
  let rest = field;
  const take = (pattern: RegExp, what: string): string => {
    const match = new RegExp(`^(?:${pattern.source})`).exec(rest);
    if (match === null) throw new Error(`expected ${what} at "${rest}" in "${field}"`);
    rest = rest.slice(match[0].length);
    return match[0];
  };
  const bare = (): string | number | boolean => {
    if (rest.startsWith('"')) {
      const quoted = take(/"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/, 'a string');
      return quoted.slice(1, -1).replace(/\\(["\\])/g, '$1');
    }
    if (rest.startsWith('?')) return take(/\?[01]/, 'a boolean') === '?1';
    return Number(take(/-?[0-9]{1,15}(?![0-9.])/, 'an integer'));
  };
  const items: Item[] = [];
  take(/ */, 'spaces');
  for (;;) {
    const value = bare();
    const parameters: { [name: string]: string | number | boolean } = {};
    while (rest.startsWith(';')) {
      take(/; */, 'a semicolon');
      const name = take(/[a-z*][a-z0-9_\-.*]*/, 'a key');
      const given = rest.startsWith('=');
      if (given) take(/=/, 'an equals sign');
      parameters[name] = given ? bare() : true;
    }
    items.push({ value, parameters });
    take(/[ \t]*/, 'spaces');
    if (rest === '') return items;
    take(/,[ \t]*/, 'a comma');
    if (rest === '') throw new Error(`a trailing comma in "${field}"`);
  }
}
