import type { Sticky } from '../sticky.ts';
import type { Member } from './member.ts';

interface Known {
  readonly member: Member;
  readonly mac: string;
}

/** Which server a session token names. All tokens are worked out when a server joins. */
export class Sessions {
  readonly #sticky: Sticky;
  readonly #byId = new Map<string, Known>();
  readonly #tokens = new WeakMap<Member, string>();

  constructor(sticky: Sticky) {
    this.#sticky = sticky;
  }

  add(member: Member): void {
    const tokens = this.#sticky.tokensFor(member.url);
    for (const { id, mac } of tokens) this.#byId.set(id, { member, mac });
    const [first] = tokens;
    if (first !== undefined) this.#tokens.set(member, `${first.id}.${first.mac}`);
  }

  remove(member: Member): void {
    for (const { id } of this.#sticky.tokensFor(member.url)) this.#byId.delete(id);
  }

  /** The token to hand out for a server. */
  tokenOf(member: Member): string | undefined {
    return this.#tokens.get(member);
  }

  /** The server that a token names; undefined if it is forged or stale. */
  find(token: string): Member | undefined {
    const dot = token.indexOf('.');
    const known = this.#byId.get(token.slice(0, dot));
    return known !== undefined && sameText(token.slice(dot + 1), known.mac) ? known.member : undefined;
  }
}

/** Compares in a time that does not tell how much is right. */
function sameText(given: string, expected: string): boolean {
  if (given.length !== expected.length) return false;
  let different = 0;
  for (let i = 0; i < expected.length; i += 1) different |= given.charCodeAt(i) ^ expected.charCodeAt(i);
  return different === 0;
}
