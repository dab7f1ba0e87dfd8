import {
  type Awaitable,
  callable,
  type Exchange,
  InvalidOptionError,
  knownOptions,
  problem,
  type Reply,
  text,
} from '@weir/core';

/** Who may look: a user and a password, or a function that says whether this request may. */
export type Auth =
  | { readonly user: string; readonly password: string }
  | ((x: Exchange) => Awaitable<boolean>);

/** Undefined if the request may go on. */
export type Guard = (x: Exchange) => Awaitable<Reply | undefined>;

const signIn = problem(401, {
  detail: 'Sign in to see the dashboard.',
  headers: ['www-authenticate', 'Basic realm="weir", charset="UTF-8"', 'cache-control', 'no-store'],
});
const notYou = problem(403, { headers: ['cache-control', 'no-store'] });
const notLocal = problem(403, {
  detail: 'Without `auth` the dashboard is shown on this machine only.',
  headers: ['cache-control', 'no-store'],
});

/** @throws InvalidOptionError if `auth` is none of its forms. */
export function guardOf(auth: unknown): Guard {
  if (auth === undefined) return (x) => (isLocal(x) ? undefined : notLocal);
  if (typeof auth === 'function') {
    const allows = callable(auth as (x: Exchange) => Awaitable<boolean>, 'auth');
    return async (x) => ((await allows(x)) === true ? undefined : notYou);
  }
  if (typeof auth !== 'object' || auth === null) {
    throw new InvalidOptionError('auth', 'a function, or an object with user and password', auth);
  }
  knownOptions(auth, ['user', 'password'], 'auth');
  const { user, password } = auth as { user?: unknown; password?: unknown };
  const wanted = `${text(user, 'auth.user')}:${text(password, 'auth.password')}`;
  return (x) => (sameText(credentials(x.header('authorization')), wanted) ? undefined : signIn);
}

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1)$/;
const localHost = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;
const forwarding = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/**
 * Whether the request was made on this machine, and meant for it: not passed on by a proxy that happens to run here, and
 * not sent by a page of another site whose name was made to point here.
 */
function isLocal(x: Exchange): boolean {
  return (
    loopback.test(x.ip) && localHost.test(x.host) && forwarding.every((name) => x.header(name) === undefined)
  );
}

function credentials(header: string | undefined): string {
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return '';
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return '';
  }
}

/** Compares in a time that depends on the length of what was given alone. */
export function sameText(given: string, wanted: string): boolean {
  let difference = given.length ^ wanted.length;
  for (let i = 0; i < given.length; i += 1) {
    difference |= given.charCodeAt(i) ^ (wanted.charCodeAt(i % wanted.length) || 0);
  }
  return difference === 0;
}

/** A token that a page of this process has and nobody else. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}

/** Whether a page of another site made the browser send this. A client that is no browser names no origin. */
export function isForeign(x: Exchange): boolean {
  const site = x.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin') return true;
  const origin = x.header('origin');
  return origin !== undefined && origin.replace(/^https?:\/\//, '') !== x.host;
}
