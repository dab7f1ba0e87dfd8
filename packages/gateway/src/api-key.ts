import { hash, timingSafeEqual } from 'node:crypto';
import { type Policy, problem } from '@weir/core';
import type { AuthConfig } from './config.ts';
import { type Identity, identityKey } from './identity.ts';

type ApiKeyConfig = Extract<AuthConfig, { type: 'api-key' }>;

/**
 * How an API key is kept: its SHA-256, since a key that was made at random needs no slow hash, unlike a password that a
 * person chose.
 *
 * @example
 * hashApiKey('k_live_…'); // 'sha256:…'
 */
export function hashApiKey(key: string): string {
  return `sha256:${digest(key).toString('hex')}`;
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

const refused = problem(401, { detail: 'An API key is needed.', headers: ['www-authenticate', 'ApiKey'] });

/**
 * Lets in whoever has one of the keys. What is compared are digests, all of them each time: how long it takes says nothing
 * about a key.
 */
export function apiKeyPolicy({ header = 'x-api-key', keys }: ApiKeyConfig): Policy {
  const lower = header.toLowerCase();
  const known = keys.map(({ id, hash, scopes = [] }) => ({
    digest: Buffer.from(hash.slice('sha256:'.length), 'hex'),
    identity: { id, scopes } satisfies Identity,
  }));
  return {
    name: 'api-key',
    enter(x) {
      const given = x.header(lower);
      if (given === undefined || given === '') return refused;
      const asked = digest(given);
      let found: Identity | undefined;
      for (const key of known) if (timingSafeEqual(key.digest, asked)) found = key.identity;
      if (found === undefined) return refused;
      x.set(identityKey, found);
      return undefined;
    },
  };
}
