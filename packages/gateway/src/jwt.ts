import { type Duration, duration, type Policy, problem, type Reply } from '@weir/core';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { AuthConfig } from './config.ts';
import { identityKey } from './identity.ts';

type JwtConfig = Extract<AuthConfig, { type: 'jwt' }>;

const missing = challenge('A bearer token is needed.', 'Bearer');
const invalid = challenge('The token is not valid.', 'Bearer error="invalid_token"');
const expired = challenge(
  'The token has expired.',
  'Bearer error="invalid_token", error_description="expired"',
);
const unavailable = problem(503, {
  detail: 'Tokens cannot be checked at the moment.',
  headers: ['retry-after', '5'],
  kind: 'error',
});

/**
 * Lets in whoever has a token that was signed by one of the keys, for this audience, by this issuer, and is still good
 * (RFC 7519, RFC 8725), checked by `jose`. Keys from a URL are kept and asked for again when a token names an unknown one,
 * not more often than `jwksCooldown`.
 */
export function jwtPolicy(config: JwtConfig): Policy {
  const {
    issuer,
    audience,
    algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'],
    scopesClaim = 'scope',
  } = config;
  const keys: JWTVerifyGetKey =
    config.jwksUrl === undefined
      ? createLocalJWKSet(config.jwks as never)
      : createRemoteJWKSet(new URL(config.jwksUrl), {
          timeoutDuration: 5_000,
          cooldownDuration: ms(config.jwksCooldown, '30s'),
        });
  const checks = {
    issuer,
    audience,
    algorithms,
    clockTolerance: ms(config.clockTolerance, '5s') / 1000,
    requiredClaims: ['exp'],
  };
  return {
    name: 'jwt',
    async enter(x): Promise<Reply | undefined> {
      const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(x.header('authorization') ?? '')?.[1];
      if (token === undefined) return missing;
      try {
        const { payload } = await jwtVerify(token, keys, checks);
        x.set(identityKey, { id: payload.sub ?? '', scopes: scopesOf(payload, scopesClaim) });
        return undefined;
      } catch (error) {
        if (error instanceof errors.JWTExpired) return expired;
        return isTokensFault(error) ? invalid : unavailable;
      }
    },
  };
}

/** Whether the token is to blame, and not that its keys could not be had. */
function isTokensFault(error: unknown): boolean {
  return (
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    error.code !== 'ERR_JOSE_GENERIC'
  );
}

function scopesOf(payload: JWTPayload, claim: string): readonly string[] {
  const value = payload[claim];
  if (typeof value === 'string') return value.split(' ').filter((scope) => scope !== '');
  return Array.isArray(value) ? value.filter((scope) => typeof scope === 'string') : [];
}

/** The schema has checked its form. */
const ms = (value: string | number | undefined, usual: Duration): number =>
  duration((value ?? usual) as Duration, 'duration');

function challenge(detail: string, value: string): Reply {
  return problem(401, { detail, headers: ['www-authenticate', value] });
}
