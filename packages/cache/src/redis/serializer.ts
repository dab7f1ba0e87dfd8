/** Turns values into what Redis keeps, and back. */
export interface Serializer {
  /** Kept with each entry; one that was written under another name is a miss. 1 to 32 of `A-Z a-z 0-9 _ . -`. */
  readonly name: string;
  /** Whether it gives and takes bytes. @default false */
  readonly binary?: boolean;
  encode(value: unknown): string | Uint8Array;
  /** @param data a string, or bytes if `binary` */
  decode(data: never): unknown;
}

/** JSON; undefined is kept too. What JSON does not know, such as a Date or a Map, comes back as JSON makes of it. */
export const json: Serializer = {
  name: 'json',
  encode: (value) => JSON.stringify(value) ?? '',
  decode: (data: string) => (data === '' ? undefined : JSON.parse(data)),
};
