import {
  createKey,
  type Exchange,
  type Key,
  type Policy,
  problem,
  type Reply,
  type Source,
} from '@weir/core';
import { protectLogin, type RateLimitPolicy } from '@weir/rate-limit';
import { bodyLimit } from './body-limit.ts';
import type { RouteConfig } from './config.ts';
import { buildLimit, storeOptions } from './internal/build-limit.ts';
import { given } from './internal/given.ts';
import type { Shared } from './internal/shared.ts';

type LoginConfig = NonNullable<RouteConfig['login']>;

/** A login is short. What is longer is refused before it is read. */
const maxBytes = 16 * 1024;
/** Longer names are no names, and would only fill memory. */
const longestName = 256;

const accountKey: Key<string> = createKey<string>('weir:account');

/** The limits of a route where accounts are entered, each with a limiter of its own. */
export function loginLimits(name: string, config: LoginConfig, shared: Shared): readonly RateLimitPolicy[] {
  const { perPair, perAddress, perAccount, onStoreError } = config;
  return protectLogin({
    name,
    account: (x) => x.get(accountKey),
    ...given({
      perPair: perPair && buildLimit(perPair),
      perAddress: perAddress && buildLimit(perAddress),
      perAccount: perAccount && buildLimit(perAccount),
    }),
    ...storeOptions(shared, onStoreError),
  });
}

/** Finds out, for those limits, which account a request is about. What names none counts by its address alone. */
export function accountOf({ account }: LoginConfig): readonly Policy[] {
  if (account === 'basic') return [noting((x) => basicUser(x.header('authorization') ?? ''))];
  if ('header' in account) {
    const name = account.header.toLowerCase();
    return [noting((x) => x.header(name))];
  }
  const read = 'json' in account ? jsonField(account.json) : formField(account.form);
  return [bodyLimit(maxBytes), inBody(read)];
}

const noting = (find: (x: Exchange) => string | undefined): Policy => ({
  name: 'account',
  enter: (x) => note(x, find(x)),
});

/** In one spelling: who changes capitals must not have as many attempts again. */
function note(x: Exchange, account: string | undefined): void {
  const name = account?.normalize('NFKC').trim().toLowerCase().slice(0, longestName);
  if (name !== undefined && name !== '') x.set(accountKey, name);
}

function inBody(read: (text: string) => string | undefined): Policy {
  return {
    name: 'account',
    async enter(x): Promise<Reply | undefined> {
      const source = x.body?.requestBody();
      if (source === undefined) return undefined;
      const bytes = await whole(source);
      if (bytes === undefined) return brokenOff;
      x.body?.setRequestBody?.(bytes);
      note(x, read(new TextDecoder().decode(bytes)));
      return undefined;
    },
  };
}

const brokenOff = problem(400, { detail: 'The body broke off.' });

/** All of a body, whose length has been checked; undefined if the client breaks it off. */
function whole(source: Source): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    source.start({
      write: (chunk) => chunks.push(chunk) > 0,
      end: () => resolve(Buffer.concat(chunks)),
      abort: () => resolve(undefined),
    });
  });
}

const jsonField =
  (field: string) =>
  (text: string): string | undefined => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    const found =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
    return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined;
  };

const formField =
  (field: string) =>
  (text: string): string | undefined =>
    new URLSearchParams(text).get(field) ?? undefined;

function basicUser(authorization: string): string | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8').split(':')[0];
}
